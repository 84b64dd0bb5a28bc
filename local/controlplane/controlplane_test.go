package controlplane_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/quickube/qscaler/local/controlplane"
	"github.com/quickube/qscaler/local/controlplane/controlplanetest"
)

func TestPodCanBeCreatedAtOnce(t *testing.T) {
	started := time.Now()
	c := controlplanetest.Start(t)
	t.Logf("ready after %s", time.Since(started))
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
	}
	_, err := client(t, c.Config()).CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func TestServiceAccountHasNoRightsOfItsOwn(t *testing.T) {
	c := controlplanetest.Start(t)
	config, err := c.ServiceAccountConfig(t.Context(), "default", "default")
	if err != nil {
		t.Fatal(err)
	}
	me, err := client(t, config).AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := me.Status.UserInfo.Username, "system:serviceaccount:default:default"; got != want {
		t.Errorf("the token is that of %s, want %s", got, want)
	}
	if _, err := client(t, config).CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{}); err == nil {
		t.Error("the ServiceAccount may list pods without a role")
	}
}

func client(t *testing.T, config *rest.Config) kubernetes.Interface {
	t.Helper()
	c, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestItSurvivesAKillOfTheAPIServer(t *testing.T) {
	c := controlplanetest.Start(t)
	host := c.Config().Host
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}
	api := client(t, c.Config()).CoreV1().ConfigMaps("default")
	if _, err := api.Create(t.Context(), m, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.KillAPIServer(); err != nil {
		t.Fatal(err)
	}
	if _, err := api.Get(t.Context(), "kept", metav1.GetOptions{}); err == nil {
		t.Fatal("a killed API server answers")
	}
	if err := c.StartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.Config().Host != host {
		t.Errorf("it is at %s now, and was at %s", c.Config().Host, host)
	}
	if _, err := api.Get(t.Context(), "kept", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}

func TestAPausedAPIServerDoesNotAnswer(t *testing.T) {
	c := controlplanetest.Start(t)
	if err := c.PauseAPIServer(); err != nil {
		t.Fatal(err)
	}
	namespaces := client(t, c.Config()).CoreV1().Namespaces()
	get := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := namespaces.Get(ctx, "default", metav1.GetOptions{})
		return err
	}
	err := get()
	for range 5 { // threads of a process come to a halt one by one
		if err != nil {
			break
		}
		err = get()
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a paused API server says %v", err)
	}
	if err := c.ResumeAPIServer(); err != nil {
		t.Fatal(err)
	}
	if _, err := namespaces.Get(t.Context(), "default", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}

func TestTheSameDirectoryAgain(t *testing.T) {
	paths, err := controlplane.Find()
	if err != nil {
		t.Fatal(err)
	}
	o := controlplane.Options{Dir: t.TempDir(), Paths: paths}
	first, err := controlplane.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	config := first.Config()
	if _, err := controlplane.Start(t.Context(), o); err == nil {
		t.Error("two control planes have one directory")
	}
	account, err := first.ServiceAccountConfig(t.Context(), "default", "default")
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	second, err := controlplane.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := second.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, c := range []*rest.Config{config, account} { // both were made for the first
		_, err := client(t, c).AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestAnAPIServerThatDoesNotStart(t *testing.T) {
	paths, err := controlplane.Find()
	if err != nil {
		t.Fatal(err)
	}
	_, err = controlplane.Start(t.Context(), controlplane.Options{
		Dir: filepath.Join(t.TempDir(), "state"), Paths: paths, Temporary: true, APIServerArgs: []string{"--no-such-flag"},
	})
	if err == nil || !strings.Contains(err.Error(), "no-such-flag") {
		t.Errorf("error %v, want one that shows the log", err)
	}
}
