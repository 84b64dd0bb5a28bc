package v1alpha1_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// kstatus is how Flux, kpt and others judge an object of a kind that they do not know. The library is
// sigs.k8s.io/cli-utils/pkg/kstatus, which this module does not depend on: these are the rules that its README documents,
// in their order.
func kstatus(object *unstructured.Unstructured) string {
	if object.GetDeletionTimestamp() != nil {
		return "Terminating"
	}
	observed, found, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
	if found && observed != object.GetGeneration() {
		return "InProgress"
	}
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	is := map[string]string{}
	for _, c := range conditions {
		is[c.(map[string]any)["type"].(string)] = c.(map[string]any)["status"].(string)
	}
	switch {
	case is["Reconciling"] == "True":
		return "InProgress"
	case is["Stalled"] == "True":
		return "Failed"
	case is["Ready"] == "False", is["Ready"] == "Unknown":
		return "InProgress"
	}
	return "Current"
}

// An object that no operator has looked at is not taken for one that is all right.
func checkUnseen(t *testing.T, api client.Client) {
	for _, manifest := range []string{smallQWorker, smallScalerConfig} {
		fresh := object(t, manifest)
		t.Run(fresh.GetKind(), func(t *testing.T) {
			fresh.SetName("unseen")
			if err := api.Create(t.Context(), fresh); err != nil {
				t.Fatal(err)
			}
			read := fresh.DeepCopy()
			judge := func(what, want string) {
				t.Helper()
				if err := api.Get(t.Context(), client.ObjectKeyFromObject(fresh), read); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, kstatus(read)); diff != "" {
					t.Errorf("%s, -want +got:\n%s", what, diff)
				}
			}
			judge("created", "InProgress")
			patch := func(status string) {
				t.Helper()
				if err := api.Status().Patch(t.Context(), fresh.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"status":`+status+`}`))); err != nil {
					t.Fatal(err)
				}
			}
			patch(`{"observedGeneration":1}`)
			judge("observed", "Current")
			if read.GetKind() == "ScalerConfig" {
				set(t, read.Object, []string{"spec"}, `{type: redis, config: {host: other}}`)
			} else {
				set(t, read.Object, []string{"spec", "scaleConfig", "maxReplicas"}, `7`)
			}
			if err := api.Update(t.Context(), read); err != nil {
				t.Fatal(err)
			}
			judge("changed since", "InProgress")
		})
	}
}
