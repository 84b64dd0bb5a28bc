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

// takesPassword reports whether a container gets the broker's password from the operator.
func (c Content) takesPassword() bool {
	return slices.ContainsFunc(c.PodSpec.Containers, func(container corev1.Container) bool {
		return !slices.ContainsFunc(container.Env, func(v corev1.EnvVar) bool { return v.Name == contract.EnvBrokerPassword })
	})
}
