package node

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// fits decides whether a pod may run here, and says why not in a scheduler's words.
func fits(pod *corev1.Pod, nodeLabels map[string]string, schedulable bool) (message string, ok bool) {
	if !schedulable {
		return "0/1 nodes are available: 1 node(s) were unschedulable.", false
	}
	if !labels.SelectorFromSet(pod.Spec.NodeSelector).Matches(labels.Set(nodeLabels)) {
		return "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.", false
	}
	return "", true
}

// schedule takes a pod that belongs to no node yet, if it fits.
func (r *runner) schedule() {
	if len(r.pod.Spec.SchedulingGates) > 0 || r.pod.DeletionTimestamp != nil {
		return
	}
	r.node.mu.Lock()
	schedulable := r.node.schedulable
	r.node.mu.Unlock()
	message, ok := fits(r.pod, r.node.labels(), schedulable)
	if !ok {
		status := r.pod.Status.DeepCopy()
		setCondition(status, corev1.PodScheduled, corev1.ConditionFalse, corev1.PodReasonUnschedulable, message, r.pod.Generation)
		r.publish(*status)
		return
	}
	name := r.pod.Name
	uid := r.pod.UID
	r.call("binding", func(ctx context.Context) error {
		binding := &corev1.Binding{
			ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: name, UID: uid},
			Target:     corev1.ObjectReference{Kind: "Node", Name: r.node.options.Name},
		}
		err := r.node.client.CoreV1().Pods(r.namespace).Bind(ctx, binding, metav1.CreateOptions{})
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			return nil // bound, or gone: the watch will tell
		}
		return err
	}, func() { r.bound = true })
}
