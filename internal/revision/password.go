package revision

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/worker/contract"
)

// AnnotationPasswordFingerprint tells the password of the broker that a pod was made with from any other. A pod has none
// where the password was not known, where its containers have another, and where an earlier version of the operator has
// made it.
const AnnotationPasswordFingerprint = "quickube.com/password-fingerprint"

// annotationOtherConfig is on a pod of a revision whose Secrets and ConfigMaps had another content, as far as the operator
// knew, when the pod was created: one of a fleet that works on while a canary tries the new content.
const annotationOtherConfig = "quickube.com/other-config"

// HasOtherConfig reports whether a pod was made with another content than its revision. Whoever may write to pods may have
// written it; then the pod is replaced.
func HasOtherConfig(pod *corev1.Pod) bool { return pod.Annotations[annotationOtherConfig] != "" }

// takesPassword reports whether a container gets the broker's password from the operator.
func (c Content) takesPassword() bool {
	return slices.ContainsFunc(c.PodSpec.Containers, func(container corev1.Container) bool {
		return !slices.ContainsFunc(container.Env, func(v corev1.EnvVar) bool { return v.Name == contract.EnvBrokerPassword })
	})
}
