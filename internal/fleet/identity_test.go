package fleet

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/internal/broker"
)

func TestIdentity(t *testing.T) {
	const ip = "10.0.0.7"
	long := strings.Repeat("a", 62) + "-bcdef"
	cases := map[string]struct {
		name string
		spec corev1.PodSpec
		ip   string
		want broker.Worker
	}{
		"a pod that waits for a node":         {want: broker.Worker{PodName: "w-1", HostName: "w-1"}},
		"one with an address":                 {ip: ip, want: broker.Worker{PodName: "w-1", HostName: "w-1", PodIP: ip}},
		"a host name that all pods have":      {spec: corev1.PodSpec{Hostname: "own"}, ip: ip, want: broker.Worker{PodName: "w-1", PodIP: ip}},
		"a host name that goes before others": {spec: corev1.PodSpec{HostnameOverride: ptr.To("own.test")}, ip: ip, want: broker.Worker{PodName: "w-1", PodIP: ip}},
		"the network of the node":             {spec: corev1.PodSpec{HostNetwork: true}, ip: ip, want: broker.Worker{PodName: "w-1"}},
		"a host name with a domain":           {spec: corev1.PodSpec{Subdomain: "d", SetHostnameAsFQDN: ptr.To(true)}, want: broker.Worker{PodName: "w-1"}},
		"a domain without a name":             {spec: corev1.PodSpec{SetHostnameAsFQDN: ptr.To(true)}, want: broker.Worker{PodName: "w-1", HostName: "w-1"}},
		"a domain that is not in it":          {spec: corev1.PodSpec{Subdomain: "d", SetHostnameAsFQDN: ptr.To(false)}, want: broker.Worker{PodName: "w-1", HostName: "w-1"}},
		"a name that is cut at a letter":      {name: strings.Repeat("a", 64), want: broker.Worker{PodName: strings.Repeat("a", 64), HostName: strings.Repeat("a", 63)}},
		"a name of 63 characters":             {name: long[:62] + "b", want: broker.Worker{PodName: long[:62] + "b", HostName: long[:62] + "b"}},
		"a name that is cut at a hyphen":      {name: long, want: broker.Worker{PodName: long, HostName: long[:62]}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.name == "" {
				c.name = "w-1"
			}
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: c.name}, Spec: c.spec, Status: corev1.PodStatus{PodIP: c.ip}}
			stripped, err := Strip(pod.DeepCopy())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Identity{Worker: c.want}, IdentityOf(stripped.(*corev1.Pod))); diff != "" {
				t.Errorf("IdentityOf (-want +got):\n%s", diff)
			}
			c.want.PodIP = ""
			if diff := cmp.Diff(c.want, IdentityToBe(c.name, &c.spec)); diff != "" {
				t.Errorf("IdentityToBe (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIdentityOfAPodThatHasEnded(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "w-1"}, Status: corev1.PodStatus{PodIP: "10.0.0.7", Phase: corev1.PodSucceeded}}
	want := Identity{Worker: broker.Worker{PodName: "w-1", HostName: "w-1", PodIP: "10.0.0.7"}, Gone: true}
	if diff := cmp.Diff(want, IdentityOf(pod)); diff != "" {
		t.Errorf("IdentityOf (-want +got):\n%s", diff)
	}
}

func TestWhatSeveralWorkersHaveTellsNobody(t *testing.T) {
	id := func(host, ip string, gone bool) Identity {
		return Identity{Worker: broker.Worker{PodName: "any", HostName: host, PodIP: ip}, Gone: gone}
	}
	const there, gone = false, true
	cases := map[string]struct{ in, want []Identity }{
		"all apart": {
			[]Identity{id("a", "1", there), id("b", "2", there), id("c", "3", gone)},
			[]Identity{id("a", "1", there), id("b", "2", there), id("c", "3", gone)},
		},
		"a host name of two": {
			[]Identity{id("a", "1", there), id("a", "2", there), id("b", "3", there)},
			[]Identity{id("", "1", there), id("", "2", there), id("b", "3", there)},
		},
		"an address of two": {
			[]Identity{id("a", "1", there), id("b", "1", there), id("c", "2", there)},
			[]Identity{id("a", "", there), id("b", "", there), id("c", "2", there)},
		},
		"one that is gone gives way": {
			[]Identity{id("a", "1", gone), id("a", "1", there)},
			[]Identity{id("", "", gone), id("a", "1", there)},
		},
		"two that are gone": {
			[]Identity{id("a", "1", gone), id("a", "1", gone), id("b", "2", there)},
			[]Identity{id("", "", gone), id("", "", gone), id("b", "2", there)},
		},
		"nothing known of two": {
			[]Identity{id("", "", there), id("", "", there), id("", "", gone)},
			[]Identity{id("", "", there), id("", "", there), id("", "", gone)},
		},
		"nobody": {},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			KeepDistinct(c.in)
			if diff := cmp.Diff(c.want, c.in); diff != "" {
				t.Errorf("KeepDistinct (-want +got):\n%s", diff)
			}
		})
	}
}
