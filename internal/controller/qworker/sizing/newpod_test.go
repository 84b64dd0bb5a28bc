package sizing

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// What a new pod of two containers is given. 128 MiB are recommended for the worker, and 96 MiB for the other.
func TestNewPods(t *testing.T) {
	notRequired := func(name corev1.ResourceName) corev1.ContainerResizePolicy {
		return corev1.ContainerResizePolicy{ResourceName: name, RestartPolicy: corev1.NotRequired}
	}
	restarts := corev1.ContainerResizePolicy{ResourceName: "memory", RestartPolicy: corev1.RestartContainer}
	pod := func(changes ...func(*corev1.Pod)) *corev1.Pod {
		p := sizedPod("p", "64Mi")
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "side", Resources: memoryOf("64Mi"), ResizePolicy: []corev1.ContainerResizePolicy{restarts}})
		for _, change := range changes {
			change(p)
		}
		return p
	}
	// Where the user has said that a container is to be restarted, it is.
	resizes := func(p *corev1.Pod) {
		p.Spec.Containers[0].ResizePolicy = []corev1.ContainerResizePolicy{notRequired("cpu"), notRequired("memory")}
		p.Spec.Containers[1].ResizePolicy = []corev1.ContainerResizePolicy{restarts, notRequired("cpu")}
	}
	sizes := func(worker, side, annotation string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources, p.Spec.Containers[1].Resources = memoryOf(worker), memoryOf(side)
			p.Annotations = map[string]string{annotationSized: annotation}
		}
	}
	asAWhole := func(p *corev1.Pod) { p.Spec.Resources = &corev1.ResourceRequirements{} }
	for name, tc := range map[string]struct {
		change func(*world)
		given  *corev1.Pod
		want   *corev1.Pod
	}{
		"what is recommended, and resizes without a restart": {want: pod(resizes, sizes("128Mi", "96Mi", "worker,side"))},
		"what is recommended of one container": {
			change: func(w *world) {
				w.fleet.QWorker.Status.Recommendations[0].Requests["memory"] = resource.MustParse("64Mi")
			},
			want: pod(resizes, sizes("64Mi", "96Mi", "side")),
		},
		"nothing where the podSpec is what is recommended": {
			change: func(w *world) {
				for _, r := range w.fleet.QWorker.Status.Recommendations {
					r.Requests["memory"] = resource.MustParse("64Mi")
				}
			},
			want: pod(resizes),
		},
		"what is recommended alone, in mode Initial":      {change: func(w *world) { w.mode(v1alpha1.RightSizingInitial) }, want: pod(sizes("128Mi", "96Mi", "worker,side"))},
		"nothing in mode Off":                             {change: func(w *world) { w.mode(v1alpha1.RightSizingOff) }, want: pod()},
		"nothing where there is no revision":              {change: func(w *world) { w.fleet.Newest = nil }, want: pod()},
		"nothing where right-sizing is not wanted":        {change: func(w *world) { w.fleet.QWorker.Spec.ScaleConfig.ActivateVPA = false }, want: pod()},
		"no size that was refused":                        {change: func(w *world) { w.memory.create.until = noon.Add(1) }, want: pod(resizes)},
		"a size whose refusal has just ended":             {change: func(w *world) { w.memory.create.until = noon }, want: pod(resizes, sizes("128Mi", "96Mi", "worker,side"))},
		"no size where the podSpec bounds the pod itself": {given: pod(asAWhole), want: pod(asAWhole, resizes)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.withSide()
			w.recommended("128Mi")
			side := v1alpha1.ContainerRecommendation{Name: "side", Requests: memoryOf("96Mi").Requests, Reason: "Usage", Samples: 1}
			w.fleet.QWorker.Status.Recommendations = append(w.fleet.QWorker.Status.Recommendations, side)
			w.round(t, 0) // a refusal is one of a round before
			if tc.change != nil {
				tc.change(w)
			}
			got := tc.given
			if got == nil {
				got = pod()
			}
			r := w.round(t, 0)
			r.SizePod(got)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
