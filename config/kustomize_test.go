package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// kustomize treats the pod spec of a QWorker as it treats that of a pod, which it knows by itself: names with prefixes and
// hashes, images, labels and annotations, and patches, which merge containers and their env by name. A ScalerConfig's references follow too.
func TestKustomizeKnowsTheKinds(t *testing.T) {
	api, found := startAPI(t), map[string]*unstructured.Unstructured{}
	for _, object := range build(t, "testdata/kustomize") {
		found[object.GetKind()] = object
		if object.GroupVersionKind().Group != "quickube.com" {
			continue
		}
		checked := object.DeepCopy()
		checked.SetNamespace("default")
		if err := api.Create(t.Context(), checked, client.DryRunAll); err != nil {
			t.Error(err)
		}
	}
	qworker, pod, config := found["QWorker"], found["Pod"], found["ScalerConfig"]
	if qworker == nil || pod == nil || config == nil {
		t.Fatalf("found %v", found)
	}
	checkCSI(t, qworker)
	if diff := cmp.Diff(at(t, pod, "spec"), at(t, qworker, "spec", "podSpec")); diff != "" {
		t.Errorf("the pod spec, -that of a pod +that of a QWorker:\n%s", diff)
	}
	want := map[string]any{"labels": map[string]any{"team": "mail"}, "annotations": map[string]any{"owner": "mail"}}
	if diff := cmp.Diff(any(want), at(t, qworker, "spec", "podMetadata")); diff != "" {
		t.Errorf("podMetadata, -want +got:\n%s", diff)
	}
	for path, want := range map[string]string{
		"podSpec.serviceAccountName":  "blue-mail",
		"scaleConfig.scalerConfigRef": "blue-redis",
	} {
		checkName(t, qworker, path, want)
	}
	for path, want := range map[string]string{
		"config.host":                        "blue-redis",
		"config.password.secret.name":        "blue-redis-login-",
		"config.worker.password.secret.name": "blue-redis-login-",
		"config.tls.caSecret.name":           "blue-redis-ca-",
		"config.tls.clientCertSecret.name":   "blue-redis-client-",
	} {
		checkName(t, config, path, want)
	}
}

// checkCSI checks and removes the last volume, which the pod does not have.
func checkCSI(t *testing.T, qworker *unstructured.Unstructured) {
	t.Helper()
	podSpec := at(t, qworker, "spec", "podSpec").(map[string]any)
	volumes := podSpec["volumes"].([]any)
	last := &unstructured.Unstructured{Object: map[string]any{"spec": volumes[len(volumes)-1]}}
	checkName(t, last, "csi.nodePublishSecretRef.name", "blue-env-")
	podSpec["volumes"] = volumes[:len(volumes)-1]
}

// checkName fails where a field does not name what it is to name. What kustomize generates ends in a hash.
func checkName(t *testing.T, object *unstructured.Unstructured, path, want string) {
	t.Helper()
	got, _ := at(t, object, append([]string{"spec"}, strings.Split(path, ".")...)...).(string)
	if got != want && (!strings.HasSuffix(want, "-") || !strings.HasPrefix(got, want)) {
		t.Errorf("%s is %q, want %q", path, got, want)
	}
}

func at(t *testing.T, object *unstructured.Unstructured, path ...string) any {
	t.Helper()
	value, found, err := unstructured.NestedFieldNoCopy(object.Object, path...)
	if err != nil || !found {
		t.Fatalf("%s has no %s: %v", object.GetKind(), strings.Join(path, "."), err)
	}
	return value
}
