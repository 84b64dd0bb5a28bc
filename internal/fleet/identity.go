package fleet

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/internal/broker"
)

// longestHostName is where the kubelet cuts a pod's name for its host name.
const longestHostName = 63

// IdentityOf is a pod's worker as a broker may know it.
func IdentityOf(pod *corev1.Pod) broker.Worker {
	host := pod.Spec.Hostname
	if host == "" {
		host = strings.TrimRight(pod.Name[:min(len(pod.Name), longestHostName)], "-.")
	}
	return broker.Worker{PodName: pod.Name, HostName: host, PodIP: pod.Status.PodIP}
}
