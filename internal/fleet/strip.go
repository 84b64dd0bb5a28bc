package fleet

import (
	"unique"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/internal/revision"
)

// Strip is a cache transform: it keeps of a pod what QScaler looks at, which is a small part of it.
func Strip(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	pod.ManagedFields = nil
	if text := pod.Annotations[revision.AnnotationRevision]; text != "" {
		pod.Annotations[revision.AnnotationRevision] = unique.Make(text).Value() // all pods of a revision have the same
	}
	pod.Spec = corev1.PodSpec{
		NodeName:       pod.Spec.NodeName,
		RestartPolicy:  pod.Spec.RestartPolicy,
		Containers:     stripContainers(pod.Spec.Containers),
		InitContainers: stripContainers(pod.Spec.InitContainers),
		Resources:      pod.Spec.Resources,
		Tolerations:    pod.Spec.Tolerations,

		TerminationGracePeriodSeconds: pod.Spec.TerminationGracePeriodSeconds,

		HostNetwork:       pod.Spec.HostNetwork,
		Hostname:          pod.Spec.Hostname,
		HostnameOverride:  pod.Spec.HostnameOverride,
		Subdomain:         pod.Spec.Subdomain,
		SetHostnameAsFQDN: pod.Spec.SetHostnameAsFQDN,
	}
	return pod, nil
}

func stripContainers(containers []corev1.Container) []corev1.Container {
	if len(containers) == 0 {
		return nil
	}
	stripped := make([]corev1.Container, len(containers))
	for i, c := range containers {
		stripped[i] = corev1.Container{
			Name: c.Name, RestartPolicy: c.RestartPolicy, RestartPolicyRules: c.RestartPolicyRules,
			Resources: c.Resources, ResizePolicy: c.ResizePolicy,
		}
	}
	return stripped
}
