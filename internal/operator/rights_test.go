package operator_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/config/rbac"
	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/local/controlplane/controlplanetest"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
)

// account is the operator's, without rights.
type account struct {
	name   metav1.ObjectMeta
	config *rest.Config
}

// newAccount makes an account of the operator in a namespace of its own, and its ClusterRole, which is bound nowhere.
func newAccount(t *testing.T, c client.Client) *account {
	t.Helper()
	namespace := controlplanetest.Namespace(t, shared)
	a := &account{name: metav1.ObjectMeta{Namespace: namespace, Name: "qscaler"}}
	var role rbacv1.ClusterRole
	first, _, _ := bytes.Cut(bytes.TrimPrefix(rbac.Role, []byte("---\n")), []byte("\n---\n"))
	if err := yaml.UnmarshalStrict(first, &role); err != nil {
		t.Fatal(err)
	}
	letGo := rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "qscaler-let-go"},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"qworkers"}, Verbs: []string{"list", "patch", "watch"}},
			{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get"}},
		},
	}
	for _, object := range []client.Object{&role, &letGo, &corev1.ServiceAccount{ObjectMeta: a.name}} {
		if err := c.Create(t.Context(), object); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
	var err error
	if a.config, err = shared.ServiceAccountConfig(t.Context(), namespace, "qscaler"); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *account) subjects() []rbacv1.Subject {
	return []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: a.name.Namespace, Name: a.name.Name}}
}

// bind gives the account the operator's rights in a namespace.
func (a *account) bind(t *testing.T, c client.Client, namespace string) *rbacv1.RoleBinding {
	t.Helper()
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "qscaler-watched"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "qscaler"},
		Subjects:   a.subjects(),
	}
	if err := c.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	return binding
}

// bindLetGo gives the account its rights in the whole cluster, as config/namespaced does.
func (a *account) bindLetGo(t *testing.T, c client.Client) {
	t.Helper()
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: a.name.Namespace + "-let-go"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "qscaler-let-go"},
		Subjects:   a.subjects(),
	}
	if err := c.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
}

// bindLeases gives the account the right to its lease in its own namespace.
func (a *account) bindLeases(t *testing.T, c client.Client) {
	t.Helper()
	role := &rbacv1.Role{
		ObjectMeta: a.name,
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"create", "get", "update"}},
			{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{operator.FingerprintSecretName}, Verbs: []string{"get", "update"}},
		},
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: a.name,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: a.name.Name},
		Subjects:   a.subjects(),
	}
	for _, object := range []client.Object{role, binding} {
		if err := c.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

// readiness is what /readyz answers.
func readiness(t *testing.T, address string) (code int, words string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// readable has the values of the metric, by namespace.
func readable(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		if f.GetName() != "qscaler_namespace_readable" {
			continue
		}
		for _, m := range f.GetMetric() {
			values[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
		}
	}
	return values
}

func awaitPods(t *testing.T, c client.Client, namespace string, want int) {
	t.Helper()
	await(t, fmt.Sprintf("%d pods in %s", want, namespace), func() string {
		if n := pods(t, c, namespace); n != want {
			return fmt.Sprintf("there are %d", n)
		}
		return ""
	})
}

// A namespace in which the operator has no rights is named, and holds up no other. Rights that come later are noticed.
func TestANamespaceWithoutRights(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	a, good, bad := newAccount(t, c), controlplanetest.Namespace(t, shared), controlplanetest.Namespace(t, shared)
	a.bind(t, c, good)
	a.bindLetGo(t, c)
	redis := redisservertest.Start(t)
	create(t, c, bad, redis, "fleet", 2)
	create(t, c, good, redis, "fleet", 3)

	registry, probes := prometheus.NewRegistry(), freeAddress(t)
	run(t, operator.Options{
		Config: a.config, Namespaces: []string{bad, good}, MetricsAddress: "0", ProbeAddress: probes, Registerer: registry,
	})
	awaitPods(t, c, good, 3)
	await(t, "the namespace to be named", func() string {
		if diff := cmp.Diff(map[string]float64{good: 1, bad: 0}, readable(t, registry)); diff != "" {
			return diff
		}
		code, words := readiness(t, probes)
		if code != http.StatusOK || !strings.Contains(words, "no rights in the namespace "+bad) || strings.Contains(words, "namespace "+good) {
			return fmt.Sprintf("readiness is %d: %s", code, words)
		}
		return ""
	})
	if n := pods(t, c, bad); n != 0 {
		t.Errorf("there are %d pods where the operator has no rights", n)
	}

	a.bind(t, c, bad)
	awaitPods(t, c, bad, 2)
	await(t, "the rights to be noticed", func() string {
		if diff := cmp.Diff(map[string]float64{good: 1, bad: 1}, readable(t, registry)); diff != "" {
			return diff
		}
		if code, words := readiness(t, probes); code != http.StatusOK || words != "ok\n" {
			return fmt.Sprintf("readiness is %d: %s", code, words)
		}
		return ""
	})
}

// An operator without rights anywhere is not ready, and says what it may not do.
func TestAnOperatorWithoutRights(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	a, probes := newAccount(t, c), freeAddress(t)
	run(t, operator.Options{Config: a.config, MetricsAddress: "0", ProbeAddress: probes})
	await(t, "readiness to say it", func() string {
		code, words := readiness(t, probes)
		if code != http.StatusServiceUnavailable || !strings.Contains(words, `cannot list resource "qworkers"`) {
			return fmt.Sprintf("it is %d: %s", code, words)
		}
		return ""
	})
}

// doomedNamespace is a namespace with three workers, and the binding that gives the operator its rights there. Both will go.
func doomedNamespace(t *testing.T, c client.Client) (a *account, namespace string, binding *rbacv1.RoleBinding) {
	t.Helper()
	a, namespace = newAccount(t, c), controlplanetest.Namespace(t, shared)
	binding = a.bind(t, c, namespace)
	a.bindLetGo(t, c)
	create(t, c, namespace, redisservertest.Start(t), "fleet", 3)
	return a, namespace, binding
}

// A namespace is deleted: its RoleBinding is gone first, and then its pods and its QWorkers are deleted, as the namespace
// controller does it. Our finalizer does not keep it.
func TestANamespaceIsDeletedWithItsRoleBinding(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	a, namespace, binding := doomedNamespace(t, c)
	run(t, operator.Options{Config: a.config, Namespaces: []string{namespace}, MetricsAddress: "0", ProbeAddress: "0"})
	awaitPods(t, c, namespace, 3)

	end(t, c, binding)
	awaitGone(t, c, namespace, "fleet")
}

// As above, while no operator runs: the one that is started then has never seen the QWorker, and may not.
func TestANamespaceIsDeletedWhileNoOperatorRuns(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	a, namespace, binding := doomedNamespace(t, c)
	options := operator.Options{Config: a.config, Namespaces: []string{namespace}, MetricsAddress: "0", ProbeAddress: "0"}
	stop := run(t, options)
	awaitPods(t, c, namespace, 3)
	stop()

	end(t, c, binding)
	run(t, options)
	awaitGone(t, c, namespace, "fleet")
}

// The operator that has waited for its turn has seen the QWorker, and may not ask any more how it is now.
func TestANamespaceIsDeletedBeforeAFailover(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	a, namespace, binding := doomedNamespace(t, c)
	options := operator.Options{
		Config: a.config, Namespaces: []string{namespace}, MetricsAddress: "0", ProbeAddress: "0",
		LeaderElection: true, LeaderElectionNamespace: a.name.Namespace,
	}
	a.bindLeases(t, c)
	stop := run(t, options)
	awaitPods(t, c, namespace, 3)
	probes := freeAddress(t)
	options.ProbeAddress = probes
	run(t, options)
	await(t, "the other replica to be ready", func() string {
		if code, words := readiness(t, probes); code != http.StatusOK {
			return words
		}
		return ""
	})

	end(t, c, binding)
	stop()
	awaitGone(t, c, namespace, "fleet")
}

// end deletes a namespace as the namespace controller does it: first the RoleBinding is gone, then the rest.
func end(t *testing.T, c client.Client, binding *rbacv1.RoleBinding) {
	t.Helper()
	for _, object := range []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: binding.Namespace}}, binding} {
		if err := c.Delete(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	for _, all := range []client.Object{&corev1.Pod{}, &v1alpha1.QWorker{}} {
		if err := c.DeleteAllOf(t.Context(), all, client.InNamespace(binding.Namespace), client.GracePeriodSeconds(0)); err != nil {
			t.Fatal(err)
		}
	}
}

func awaitGone(t *testing.T, c client.Client, namespace, name string) {
	t.Helper()
	await(t, "the QWorker to be gone", func() string {
		var qw v1alpha1.QWorker
		err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &qw)
		if !apierrors.IsNotFound(err) {
			return fmt.Sprintf("its finalizers are %v (%v)", qw.Finalizers, err)
		}
		return ""
	})
}
