// Package controlplanetest gives tests a real API server with QScaler's CustomResourceDefinitions.
//
// A control plane takes 3 to 4 s to start on two cores. A package with many tests starts one in TestMain
// (Run) and gives each test a namespace of its own (Namespace).
package controlplanetest

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/quickube/qscaler/local/controlplane"
	"github.com/quickube/qscaler/local/crds"
)

// startTimeout bounds the start on a slow and busy machine.
const startTimeout = 2 * time.Minute

// Start starts a control plane of the test's own, and stops it at the test's end. The test fails, and is
// not skipped, when the programs are missing.
func Start(t testing.TB) *controlplane.ControlPlane {
	t.Helper()
	c, err := start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Errorf("stopping the control plane: %v", err)
		}
	})
	return c
}

// Run starts a control plane for all tests of a package, and returns the exit code for TestMain:
//
//	func TestMain(m *testing.M) {
//		os.Exit(controlplanetest.Run(m, func(c *controlplane.ControlPlane) { shared = c }))
//	}
func Run(m *testing.M, use func(*controlplane.ControlPlane)) int {
	c, err := start()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	use(c)
	code := m.Run()
	if err := c.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the control plane:", err)
		return max(code, 1)
	}
	return code
}

func start() (*controlplane.ControlPlane, error) {
	paths, err := controlplane.Find()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "qscaler-controlplane-")
	if err != nil {
		return nil, err
	}
	c, err := controlplane.Start(ctx, controlplane.Options{Dir: dir, Paths: paths, Temporary: true})
	if err != nil {
		return nil, err
	}
	if err := crds.Install(ctx, c.Config()); err != nil {
		_ = c.Stop()
		return nil, err
	}
	return c, nil
}

// Namespace makes a namespace with a unique name, and returns when pods can be created in it.
func Namespace(t testing.TB, c *controlplane.ControlPlane) string {
	t.Helper()
	client, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	namespace, err := client.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	err = wait.PollUntilContextTimeout(t.Context(), 5*time.Millisecond, startTimeout, true, func(ctx context.Context) (bool, error) {
		_, err := client.CoreV1().ServiceAccounts(namespace.Name).Get(ctx, "default", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		t.Fatalf("waiting for the default ServiceAccount of namespace %s: %v", namespace.Name, err)
	}
	return namespace.Name
}
