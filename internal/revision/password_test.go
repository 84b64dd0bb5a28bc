package revision

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/worker/contract"
)

func TestAPodTellsWithWhichPasswordItWasMade(t *testing.T) {
	own := []corev1.EnvVar{{Name: contract.EnvBrokerPassword, Value: "mine"}}
	cases := map[string]struct {
		fingerprint string
		containers  []corev1.Container
		want        string
	}{
		"the password is known":             {"f1", []corev1.Container{{Name: "worker"}}, "f1"},
		"it is not known":                   {"", []corev1.Container{{Name: "worker"}}, ""},
		"the pod spec has its own":          {"f1", []corev1.Container{{Name: "worker", Env: own}}, ""},
		"one of two containers has its own": {"f1", []corev1.Container{{Name: "worker"}, {Name: "sidecar", Env: own}}, "f1"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := revisionOf(func(content *Content) { content.PodSpec.Containers = c.containers })
			pod := r.NewPod("a-1", PodOptions{Owner: qworker("a"), Fingerprint: c.fingerprint})
			if got := pod.Annotations[AnnotationPasswordFingerprint]; got != c.want {
				t.Errorf("fingerprint %q, want %q", got, c.want)
			}
		})
	}
}
