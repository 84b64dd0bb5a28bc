package rightsize

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// Init containers and sidecars among them are right-sized only by their names; what was injected is not in the podSpec.
func TestWhichContainersAreRightSized(t *testing.T) {
	spec := &corev1.PodSpec{
		Containers:     []corev1.Container{{Name: "worker"}, {Name: "helper"}},
		InitContainers: []corev1.Container{{Name: "setup"}, {Name: "sidecar", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}},
	}
	some := allow("1", "")
	for name, tc := range map[string]struct {
		spec v1alpha1.RightSizingSpec
		want []string
	}{
		"by default":    {v1alpha1.RightSizingSpec{}, []string{"worker", "helper"}},
		"every other":   {v1alpha1.RightSizingSpec{MaxAllowed: map[string]v1alpha1.AllowedResources{"*": some}}, []string{"worker", "helper"}},
		"by their name": {v1alpha1.RightSizingSpec{MaxAllowed: map[string]v1alpha1.AllowedResources{"setup": some}, MinAllowed: map[string]v1alpha1.AllowedResources{"sidecar": some}}, []string{"worker", "helper", "setup", "sidecar"}},
		"nobody else":   {v1alpha1.RightSizingSpec{MaxAllowed: map[string]v1alpha1.AllowedResources{"injected": some}}, []string{"worker", "helper"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Policy{spec: tc.spec}.Containers(spec)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestBoundsThatCross(t *testing.T) {
	for name, tc := range map[string]struct {
		least, most map[string]v1alpha1.AllowedResources
		want        string
	}{
		"none":                     {},
		"a minimum alone":          {least: map[string]v1alpha1.AllowedResources{"w": allow("2", "")}},
		"equal, written otherwise": {least: map[string]v1alpha1.AllowedResources{"w": allow("1000m", "1Gi")}, most: map[string]v1alpha1.AllowedResources{"w": allow("1", "1024Mi")}},
		"of other containers":      {least: map[string]v1alpha1.AllowedResources{"a": allow("2", "")}, most: map[string]v1alpha1.AllowedResources{"b": allow("1", "")}},
		"too much memory": {
			least: map[string]v1alpha1.AllowedResources{"w": allow("1", "2Gi")}, most: map[string]v1alpha1.AllowedResources{"w": allow("1", "1Gi")},
			want: `rightSizing.minAllowed of container "w" has 2Gi of memory, which is more than the 1Gi of rightSizing.maxAllowed`,
		},
		"more than any container may have": {
			least: map[string]v1alpha1.AllowedResources{"w": allow("2", "")}, most: map[string]v1alpha1.AllowedResources{"*": allow("1", "")},
			want: `rightSizing.minAllowed of container "w" has 2 of cpu, which is more than the 1 of rightSizing.maxAllowed`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := Policy{spec: v1alpha1.RightSizingSpec{MinAllowed: tc.least, MaxAllowed: tc.most}}.Crossing()
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
