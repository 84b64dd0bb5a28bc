package qworker_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/revision"
	"github.com/quickube/qscaler/worker/contract"
)

// Today's operator, with today's defaults in the kinds, finds the revision that an older one has stored, and lets its
// fleet be. testdata/upgrade has a file for each form in which revisions were ever stored: add one when the form
// changes, and change none.
//
//	first    as Go orders the fields
//	ordered  with all names in order
//	newer    with fields that its version did not know and today's does, another login for workers, and SIGTERM
func TestAnUpgradeRollsNoFleet(t *testing.T) {
	t.Parallel()
	forms := map[string]struct {
		qworker string
		config  func(*v1alpha1.BrokerConfig)
	}{
		"first.json":   {"qworker.yaml", func(*v1alpha1.BrokerConfig) {}},
		"ordered.json": {"qworker.yaml", func(*v1alpha1.BrokerConfig) {}},
		"newer.json": {"newer.yaml", func(config *v1alpha1.BrokerConfig) {
			config.Worker = &v1alpha1.WorkerLogin{Username: "worker"}
		}},
	}
	files, err := filepath.Glob("testdata/upgrade/*.json")
	if err != nil || len(files) != len(forms) {
		t.Fatalf("there are the stored revisions %q (%v), want one for each of the %d forms", files, err, len(forms))
	}
	for file, form := range forms {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			upgrade(t, "testdata/upgrade/"+file, "testdata/upgrade/"+form.qworker, form.config)
		})
	}
}

func upgrade(t *testing.T, stored, qworker string, change func(*v1alpha1.BrokerConfig)) {
	const hash = "bcdfghjklm" // as it was then; another version may make another of the same content
	c := newCluster(t)
	c.stop()
	config := c.scalerConfig("config")
	change(&config.Spec.Config)
	c.create(config)
	q := c.createManifest(qworker)
	c.storeRevision(q, hash, stored)
	pod := c.podOf(q, hash)
	c.run(*pod)

	c.startOperator()
	c.awaitCondition(q.Name, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
	c.reconcileAnew(q.Name)
	if got := c.status(q.Name).CurrentPodSpecHash; got != hash {
		t.Errorf("it is at revision %s, want %s", got, hash)
	}
	var revisions appsv1.ControllerRevisionList
	if err := c.List(t.Context(), &revisions, client.InNamespace(c.namespace)); err != nil {
		t.Fatal(err)
	}
	if n := len(revisions.Items); n != 1 {
		t.Errorf("there are %d revisions, want the one of before:\n%s", n, storedOf(revisions))
	}
	pods := c.pods(q.Name)
	if with, _ := granted(pods); len(pods) != 1 || pods[0].UID != pod.UID || len(with) > 0 {
		t.Errorf("the pod of before does not stay\n%s", c.picture())
	}
}

// createManifest creates the QWorker of a file, as kubectl does, and returns what the API server makes of it.
func (c *cluster) createManifest(file string) *v1alpha1.QWorker {
	c.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		c.Fatal(err)
	}
	var object unstructured.Unstructured
	if err := yaml.Unmarshal(data, &object.Object); err != nil {
		c.Fatal(err)
	}
	c.create(&object)
	var q v1alpha1.QWorker
	if err := c.Get(c.Context(), client.ObjectKeyFromObject(&object), &q); err != nil {
		c.Fatal(err)
	}
	return &q
}

// storeRevision stores a revision of a file as proven, as an older operator did.
func (c *cluster) storeRevision(q *v1alpha1.QWorker, hash, file string) {
	c.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		c.Fatal(err)
	}
	stored := strings.ReplaceAll(string(data), "REDIS_PORT", strconv.Itoa(c.redis.Port()))
	c.create(&appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Name: revision.NamePrefix(q) + hash, Labels: labelsOf(q, hash), OwnerReferences: ownedBy(q),
			Annotations: map[string]string{"quickube.com/proven": "true"},
		},
		Data: runtime.RawExtension{Raw: []byte(stored)}, Revision: 1,
	})
}

// podOf creates a pod of a revision.
func (c *cluster) podOf(q *v1alpha1.QWorker, hash string) *corev1.Pod {
	c.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: revision.NewPodName(q), Labels: labelsOf(q, hash), OwnerReferences: ownedBy(q)},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "worker", Image: "mail:1"}, {Name: "proxy", Image: "proxy:1"}}},
	}
	c.create(pod)
	return pod
}

func labelsOf(q *v1alpha1.QWorker, hash string) map[string]string {
	return map[string]string{
		contract.LabelQWorker: q.Name, contract.LabelQWorkerUID: string(q.UID), contract.LabelPodSpecHash: hash,
	}
}

func ownedBy(q *v1alpha1.QWorker) []metav1.OwnerReference {
	return []metav1.OwnerReference{*metav1.NewControllerRef(q, v1alpha1.GroupVersion.WithKind("QWorker"))}
}

func storedOf(revisions appsv1.ControllerRevisionList) string {
	var all strings.Builder
	for _, r := range revisions.Items {
		fmt.Fprintf(&all, "%s: %s\n", r.Name, r.Data.Raw)
	}
	return all.String()
}
