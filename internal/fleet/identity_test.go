package fleet

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/internal/broker"
)

func TestIdentity(t *testing.T) {
	long := strings.Repeat("a", 62) + "-bcdef"
	cases := map[string]struct {
		pod  corev1.Pod
		want broker.Worker
	}{
		"a pod that waits for a node": {
			corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "w-1"}},
			broker.Worker{PodName: "w-1", HostName: "w-1"},
		},
		"one with an address": {
			corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "w-1"}, Status: corev1.PodStatus{PodIP: "10.0.0.7"}},
			broker.Worker{PodName: "w-1", HostName: "w-1", PodIP: "10.0.0.7"},
		},
		"a host name of its own": {
			corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "w-1"}, Spec: corev1.PodSpec{Hostname: "own"}},
			broker.Worker{PodName: "w-1", HostName: "own"},
		},
		"a name that the kubelet cuts at a hyphen": {
			corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: long}},
			broker.Worker{PodName: long, HostName: strings.Repeat("a", 62)},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			stripped, err := Strip(c.pod.DeepCopy())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, IdentityOf(stripped.(*corev1.Pod))); diff != "" {
				t.Errorf("IdentityOf (-want +got):\n%s", diff)
			}
		})
	}
}
