package collector_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/local/collector"
	"github.com/quickube/qscaler/local/controlplane"
	"github.com/quickube/qscaler/local/controlplane/controlplanetest"
)

// waitLimit is far more than anything here takes, for a busy machine.
const waitLimit = time.Minute

var shared *controlplane.ControlPlane

func TestMain(m *testing.M) {
	os.Exit(controlplanetest.Run(m, func(c *controlplane.ControlPlane) {
		shared = c
	}))
}

// world is a namespace of a cluster with a collector.
type world struct {
	t         *testing.T
	api       kubernetes.Interface
	namespace string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	c, err := collector.New(shared.Config(), testr.New(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); c.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	api, err := kubernetes.NewForConfig(shared.Config())
	if err != nil {
		t.Fatal(err)
	}
	return &world{t, api, controlplanetest.Namespace(t, shared)}
}

// create makes a ConfigMap with owners.
func (w *world) create(name string, owners ...*corev1.ConfigMap) *corev1.ConfigMap {
	w.t.Helper()
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, owner := range owners {
		m.OwnerReferences = append(m.OwnerReferences, metav1.OwnerReference{
			APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID, BlockOwnerDeletion: ptr.To(true),
		})
	}
	m, err := w.api.CoreV1().ConfigMaps(w.namespace).Create(w.t.Context(), m, metav1.CreateOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) delete(name string, policy metav1.DeletionPropagation) {
	w.t.Helper()
	if err := w.api.CoreV1().ConfigMaps(w.namespace).Delete(w.t.Context(), name, metav1.DeleteOptions{PropagationPolicy: &policy}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) await(what string, is func(context.Context) (bool, error)) {
	w.t.Helper()
	if err := wait.PollUntilContextTimeout(w.t.Context(), 10*time.Millisecond, waitLimit, true, is); err != nil {
		w.t.Fatalf("waiting for %s: %v", what, err)
	}
}

func (w *world) awaitGone(name string) {
	w.t.Helper()
	w.await(name+" to be gone", func(ctx context.Context) (bool, error) {
		_, err := w.api.CoreV1().ConfigMaps(w.namespace).Get(ctx, name, metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
}

func (w *world) get(name string) *corev1.ConfigMap {
	w.t.Helper()
	m, err := w.api.CoreV1().ConfigMaps(w.namespace).Get(w.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func TestDependentsGoWithTheirOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner := w.create("owner")
	other := w.create("other")
	middle := w.create("middle", owner)
	w.create("leaf", middle)
	w.create("shared", owner, other)
	w.delete("owner", metav1.DeletePropagationBackground)
	w.awaitGone("middle")
	w.awaitGone("leaf")
	w.await("one owner to be left", func(context.Context) (bool, error) { return len(w.get("shared").OwnerReferences) == 1, nil })
}

func TestForegroundDeletionWaitsForDependents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner := w.create("owner")
	middle := w.create("middle", owner)
	leaf := w.create("leaf", middle)
	leaf.Finalizers = []string{"test.example/hold"}
	if _, err := w.api.CoreV1().ConfigMaps(w.namespace).Update(t.Context(), leaf, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.delete("owner", metav1.DeletePropagationForeground)
	w.await("the leaf to be deleted", func(context.Context) (bool, error) { return w.get("leaf").DeletionTimestamp != nil, nil })
	if w.get("owner").DeletionTimestamp == nil || w.get("middle").DeletionTimestamp == nil {
		t.Error("the owners do not wait")
	}
	leaf = w.get("leaf")
	leaf.Finalizers = nil
	if _, err := w.api.CoreV1().ConfigMaps(w.namespace).Update(t.Context(), leaf, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"leaf", "middle", "owner"} {
		w.awaitGone(name)
	}
}

func TestOrphansStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create("leaf", w.create("owner"))
	w.delete("owner", metav1.DeletePropagationOrphan)
	w.awaitGone("owner")
	if left := w.get("leaf"); len(left.OwnerReferences) > 0 || left.DeletionTimestamp != nil {
		t.Errorf("the orphan: %+v", left.ObjectMeta)
	}
}

func TestANamespaceEndsWithItsContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create("m")
	if err := w.api.CoreV1().Namespaces().Delete(t.Context(), w.namespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.await("the namespace to be gone", func(ctx context.Context) (bool, error) {
		_, err := w.api.CoreV1().Namespaces().Get(ctx, w.namespace, metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
}

// A kind that comes later is collected too, and one that goes leaves nothing that fails for ever.
func TestKindsComeAndGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	definitions, err := clientset.NewForConfig(shared.Config())
	if err != nil {
		t.Fatal(err)
	}
	crd := &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "laters.test.example"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "test.example", Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "laters", Singular: "later", Kind: "Later", ListKind: "LaterList"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object"}},
			}},
		},
	}
	crds := definitions.ApiextensionsV1().CustomResourceDefinitions()
	if _, err := crds.Create(t.Context(), crd, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	objects, err := dynamic.NewForConfig(shared.Config())
	if err != nil {
		t.Fatal(err)
	}
	laters := objects.Resource(schema.GroupVersionResource{Group: "test.example", Version: "v1", Resource: "laters"}).Namespace(w.namespace)
	owner := w.create("owner")
	w.await("the kind to be served", func(ctx context.Context) (bool, error) {
		_, err := laters.Create(ctx, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "test.example/v1", "kind": "Later",
			"metadata": map[string]any{"name": "x", "ownerReferences": []any{map[string]any{
				"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": string(owner.UID),
			}}},
		}}, metav1.CreateOptions{})
		return err == nil, nil
	})
	w.delete("owner", metav1.DeletePropagationBackground)
	w.await("the dependent to be gone", func(ctx context.Context) (bool, error) {
		_, err := laters.Get(ctx, "x", metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
	if err := crds.Delete(t.Context(), crd.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.await("the definition to be gone", func(ctx context.Context) (bool, error) {
		_, err := crds.Get(ctx, crd.Name, metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
}
