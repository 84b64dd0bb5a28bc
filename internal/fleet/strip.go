package fleet

import corev1 "k8s.io/api/core/v1"

// Strip is a cache transform: it keeps of a pod what QScaler looks at, which is a small part of it.
func Strip(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	pod.ManagedFields = nil
	containers := make([]corev1.Container, len(pod.Spec.Containers))
	for i, c := range pod.Spec.Containers {
		containers[i] = corev1.Container{Name: c.Name, RestartPolicy: c.RestartPolicy}
	}
	pod.Spec = corev1.PodSpec{
		NodeName:      pod.Spec.NodeName,
		RestartPolicy: pod.Spec.RestartPolicy,
		Containers:    containers,
		Tolerations:   pod.Spec.Tolerations,

		TerminationGracePeriodSeconds: pod.Spec.TerminationGracePeriodSeconds,
	}
	return pod, nil
}
