package sizing

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/rightsize"
)

// annotationSized marks the pods that were made with other resources than their template has. Those of another may come
// from a LimitRange or a webhook, and the next pod would have them as well.
const annotationSized = "quickube.com/right-sized"

// SizePod gives a new pod what is recommended, in place of its template's requests, and lets it be resized
// without a restart. It is no part of the revision: a pod of another size is no outdated pod.
func (r *Round) SizePod(pod *corev1.Pod) {
	if !r.active {
		return
	}
	if r.policy.Mode() == v1alpha1.RightSizingInPlace {
		resizeWithoutRestart(pod.Spec.Containers)
	}
	if !r.appliesToNew() {
		return
	}
	changed, _ := rightsize.FitPod(&pod.Spec, r.Recommendations, r.policy) // why not is told by checkFit
	if len(changed) > 0 {
		metav1.SetMetaDataAnnotation(&pod.ObjectMeta, annotationSized, strings.Join(changed, ","))
	}
}

// appliesToNew reports whether new pods get what is recommended.
func (r *Round) appliesToNew() bool {
	return r.policy.Mode() != v1alpha1.RightSizingOff && !r.memory.create.stands(r.fleet.Now)
}

// checkFit tells what the recommendations do to a pod of the newest revision, if it can have them.
func (r *Round) checkFit() {
	template := r.fleet.Newest
	fitted := template.DeepCopy()
	var changed []string
	changed, r.blocked = rightsize.FitPod(fitted, r.Recommendations, r.policy)
	r.fitted = len(changed) > 0 && r.appliesToNew()
	r.more = slices.ContainsFunc(changed, func(name string) bool {
		return rightsize.AsksMore(containerIn(fitted, name).Resources, containerIn(template, name).Resources)
	})
}

// resizeWithoutRestart says so for every resource for which the user has not said otherwise.
func resizeWithoutRestart(containers []corev1.Container) {
	for i := range containers {
		c := &containers[i]
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			said := slices.ContainsFunc(c.ResizePolicy, func(p corev1.ContainerResizePolicy) bool { return p.ResourceName == name })
			if !said {
				c.ResizePolicy = append(c.ResizePolicy, corev1.ContainerResizePolicy{ResourceName: name, RestartPolicy: corev1.NotRequired})
			}
		}
	}
}
