// Package config_test applies what kustomize makes of these folders to a real API server, and reviews what
// the operator may do there.
package config_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/quickube/qscaler/config/rbac"
	"github.com/quickube/qscaler/internal/broker/kinds"
)

var update = flag.Bool("update", false, "write testdata/rules.golden anew")

// TestRules shows every right of the operator, a line each, so that a new one is seen in review.
func TestRules(t *testing.T) {
	const golden = "testdata/rules.golden"
	got := strings.Join(rules(t), "\n") + "\n"
	if strings.Contains(got, "*") {
		t.Errorf("a wildcard:\n%s", got)
	}
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the operator's rights have changed (-reviewed +now); if that is meant, run go test ./config -update\n%s", diff)
	}
}

// rules are the rules of the embedded role, the form in which local mode applies it.
func rules(t *testing.T) []string {
	var lines []string
	for _, object := range split(t, rbac.Role) {
		var role rbacv1.ClusterRole // a Role has the same rules
		into(t, object, &role)
		for _, rule := range role.Rules {
			slices.Sort(rule.Verbs)
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					if group == "" {
						group = "core"
					}
					if len(rule.NonResourceURLs) > 0 {
						t.Errorf("%s %s: the golden file does not show URLs yet", group, resource)
					}
					if len(rule.ResourceNames) > 0 {
						resource += " named " + strings.Join(rule.ResourceNames, " ")
					}
					lines = append(lines, fmt.Sprintf("%s %s/%s: %s", role.Kind, group, resource, strings.Join(rule.Verbs, " ")))
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// The operator may reach each kind of broker at its usual port.
func TestTheNetworkPolicyHasThePortOfEachKindOfBroker(t *testing.T) {
	open := map[int]bool{}
	for _, object := range build(t, "network-policy") {
		var policy networkingv1.NetworkPolicy
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &policy); err != nil {
			t.Fatal(err)
		}
		if policy.Spec.PodSelector.MatchLabels["app.kubernetes.io/name"] != "qscaler" {
			t.Errorf("%s is for other pods than the operator's: %v", policy.Name, policy.Spec.PodSelector)
		}
		for _, rule := range policy.Spec.Egress {
			for _, port := range rule.Ports {
				open[port.Port.IntValue()] = true
			}
		}
	}
	for _, kind := range kinds.All() {
		if !open[int(kind.Port)] {
			t.Errorf("port %d of %s is not among those of the policies: %v", kind.Port, kind.Type, open)
		}
	}
}

func TestManifestsApply(t *testing.T) {
	api := startAPI(t)
	createNamespaces(t, api, "qscaler-system", "team-a")
	for _, overlay := range []string{"crd", "rbac", "manager", "default", "namespaced", "network-policy"} {
		t.Run(overlay, func(t *testing.T) {
			for _, object := range build(t, overlay) {
				apply(t, api, object)
			}
		})
	}
	samples, err := filepath.Glob("samples/*.yaml")
	if err != nil || len(samples) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, sample := range samples {
		t.Run(sample, func(t *testing.T) {
			manifest, err := os.ReadFile(sample)
			if err != nil {
				t.Fatal(err)
			}
			for _, object := range split(t, manifest) {
				apply(t, api, object)
			}
		})
	}
}

// The kinds are in a folder of their own: whoever deletes the operator must not delete every QWorker with it.
func TestTheOperatorsFoldersHaveNoKinds(t *testing.T) {
	for _, overlay := range []string{"default", "namespaced"} {
		for _, object := range build(t, overlay) {
			if object.GetKind() == "CustomResourceDefinition" {
				t.Errorf("config/%s has the kind %s", overlay, object.GetName())
			}
		}
	}
}

// TestWhereTheOperatorMayAct asks the API server's authorizer what each overlay's bindings come to.
func TestWhereTheOperatorMayAct(t *testing.T) {
	api := startAPI(t)
	createNamespaces(t, api, "qscaler-system", "team-a", "team-b")
	for _, tc := range []struct {
		overlay string
		may     map[string]bool // by namespace
	}{ // the second adds the cluster's binding to what the first applied
		{"namespaced", map[string]bool{"team-a": true, "team-b": false, "qscaler-system": false}},
		{"default", map[string]bool{"team-a": true, "team-b": true, "qscaler-system": true}},
	} {
		t.Run(tc.overlay, func(t *testing.T) {
			for _, object := range build(t, tc.overlay) {
				apply(t, api, object)
			}
			if got, want := may(t, api, "watch", "", "nodes", ""), tc.overlay == "default"; got != want {
				t.Errorf("may watch nodes: %t, want %t", got, want)
			}
			for _, resource := range []string{"tokenreviews", "subjectaccessreviews"} {
				group := map[string]string{"tokenreviews": "authentication.k8s.io", "subjectaccessreviews": "authorization.k8s.io"}[resource]
				if !may(t, api, "create", group, resource, "") {
					t.Errorf("may not create %s, and so nobody can read the metrics", resource)
				}
			}
			for namespace, want := range tc.may {
				if got := may(t, api, "create", "", "pods", namespace); got != want {
					t.Errorf("may create pods in %s: %t, want %t", namespace, got, want)
				}
				if got := may(t, api, "get", "", "secrets", namespace); got != want {
					t.Errorf("may get secrets in %s: %t, want %t", namespace, got, want)
				}
				if may(t, api, "list", "", "secrets", namespace) {
					t.Errorf("may list secrets in %s", namespace)
				}
				lease := namespace == "qscaler-system"
				if got := may(t, api, "update", "coordination.k8s.io", "leases", namespace); got != lease {
					t.Errorf("may update leases in %s: %t, want %t", namespace, got, lease)
				}
			}
		})
	}
}

func may(t *testing.T, api client.Client, verb, group, resource, namespace string) bool {
	t.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:   "system:serviceaccount:qscaler-system:qscaler",
		Groups: []string{"system:serviceaccounts", "system:authenticated"},
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: verb, Group: group, Resource: resource, Namespace: namespace,
		},
	}}
	if err := api.Create(t.Context(), review); err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}

// build is `kustomize build`, by the version that tools/go.mod names.
func build(t *testing.T, overlay string) []*unstructured.Unstructured {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "tool", "-modfile=tools/go.mod", "kustomize", "build", "config/"+overlay)
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kustomize build %s: %v\n%s", overlay, err, stderr.String())
	}
	return split(t, out)
}

func split(t *testing.T, manifests []byte) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	for document := range strings.SplitSeq(string(manifests), "\n---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(strings.TrimPrefix(document, "---\n")), &object.Object); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
	return objects
}

// apply creates or updates an object as kubectl apply --server-side does, and refuses unknown fields.
func apply(t *testing.T, api client.Client, object *unstructured.Unstructured) {
	t.Helper()
	if object.GetNamespace() == "" {
		object.SetNamespace("default") // the API server ignores it for what has no namespace
	}
	err := client.WithFieldValidation(api, "Strict").Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object),
		client.FieldOwner("kubectl"), client.ForceOwnership)
	if err != nil {
		t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
	}
}

func createNamespaces(t *testing.T, api client.Client, names ...string) {
	t.Helper()
	for _, name := range names {
		namespace := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace"}}
		namespace.SetName(name)
		apply(t, api, namespace)
	}
}

func into(t *testing.T, object *unstructured.Unstructured, typed any) {
	t.Helper()
	data, err := object.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(data, typed); err != nil {
		t.Fatal(err)
	}
}

// TestWhatViewersSee: the role view has no Secrets, and a ScalerConfig may have a password in place.
func TestWhatViewersSee(t *testing.T) {
	sees := map[string][]string{}
	for _, object := range build(t, "rbac") {
		if object.GetKind() != "ClusterRole" {
			continue
		}
		var role rbacv1.ClusterRole
		into(t, object, &role)
		for _, to := range []string{"view", "edit", "admin"} {
			if role.Labels["rbac.authorization.k8s.io/aggregate-to-"+to] != "true" {
				continue
			}
			for _, rule := range role.Rules {
				sees[to] = append(sees[to], rule.Resources...)
			}
		}
	}
	both := []string{"qworkers", "scalerconfigs"}
	if diff := cmp.Diff(map[string][]string{"view": {"qworkers"}, "edit": both, "admin": both}, sees); diff != "" {
		t.Errorf("what the cluster's roles are given (-want +got):\n%s", diff)
	}
}
