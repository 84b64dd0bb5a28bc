package qworker

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/revision"
	"github.com/quickube/qscaler/worker/contract"
)

// A pod is made with one ScalerConfig, and judged by another.
func TestWhosePasswordIsOld(t *testing.T) {
	made := func(change func(*v1alpha1.BrokerConfig)) *v1alpha1.ScalerConfig {
		sc := &v1alpha1.ScalerConfig{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "sc", UID: "uid"}}
		sc.Spec.Type = v1alpha1.BrokerRedis
		sc.Spec.Config = v1alpha1.BrokerConfig{Host: "a", Password: &v1alpha1.PasswordSource{Value: ptr.To("old")}}
		change(&sc.Spec.Config)
		return sc
	}
	set := func(host, password string) func(*v1alpha1.BrokerConfig) {
		return func(c *v1alpha1.BrokerConfig) { c.Host, c.Password.Value = host, &password }
	}
	resolver := connection.NewResolver(nil, nil, nil)
	former := made(func(*v1alpha1.BrokerConfig) {})
	of := revision.Revision{Hash: "r1", Content: revision.Content{
		PodSpec:    corev1.PodSpec{Containers: []corev1.Container{{Name: "worker"}}},
		Connection: resolver.Normalise(former),
	}}
	pod := of.NewPod("w-1", revision.PodOptions{
		Owner:       &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "w", UID: "w"}},
		Fingerprint: resolver.Fingerprint("ns", of.Connection, former),
	})
	cases := map[string]struct {
		present *v1alpha1.ScalerConfig
		hash    string
		want    bool
	}{
		"nothing has changed":                  {made(set("a", "old")), "r1", false},
		"the password is another":              {made(set("a", "new")), "r1", true},
		"the password and the host are others": {made(set("b", "new")), "r1", false},
		"the ScalerConfig is gone":             {nil, "r1", false},
		"the revision of the pod is not known": {made(set("a", "new")), "r2", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			pod := pod.DeepCopy()
			pod.Labels[contract.LabelPodSpecHash] = c.hash
			var connects connection.Spec
			if c.present != nil {
				connects = resolver.Normalise(c.present)
			}
			p := passwords{resolver, "ns", c.present, connects, &revisions{all: []revision.Revision{of}}, map[string]string{}}
			if got := p.isOld(pod); got != c.want {
				t.Errorf("isOld = %t, want %t", got, c.want)
			}
		})
	}
}
