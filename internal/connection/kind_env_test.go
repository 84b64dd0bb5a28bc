package connection

import (
	"crypto/tls"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/broker"
)

// A kind makes its variables of what is the worker's own, and never sees a password.
func TestVariablesOfAKind(t *testing.T) {
	var seen broker.Settings
	own := broker.Kinds{{Type: "redis", Port: 1, Env: func(s broker.Settings) []broker.Variable {
		seen = s
		return []broker.Variable{{Name: "A", Value: "a"}, {Name: "P", Password: true}}
	}}}
	resolver := NewResolver(own, nil, nil)
	sc := config(func(c *v1alpha1.BrokerConfig) {
		c.Username, c.Password = "operator", secretRef("s", "k")
		c.Worker = &v1alpha1.WorkerLogin{Username: "worker", Password: secretRef("w", "p")}
		c.TLS = &v1alpha1.TLSConfig{ServerName: "n", CASecret: &v1alpha1.SecretKeyReference{Name: "ca", Key: "ca"}}
	})
	got := map[string]corev1.EnvVar{}
	for _, v := range resolver.Env(resolver.Normalise(sc), sc) {
		got[v.Name] = v
	}
	if got["A"].Value != "a" {
		t.Errorf("A is %+v", got["A"])
	}
	if diff := cmp.Diff(got["QSCALER_BROKER_PASSWORD"].ValueFrom, got["P"].ValueFrom); diff != "" || got["P"].ValueFrom == nil {
		t.Errorf("P is not the password (-password +P):\n%s", diff)
	}
	want := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: "n"}
	if seen.Username != "worker" || !seen.Password.Empty() || seen.CA != "/etc/qscaler-broker/ca.crt" || !broker.SameTLS(want, seen.TLS) {
		t.Errorf("the kind has seen %+v", seen)
	}
	none := config(func(*v1alpha1.BrokerConfig) {})
	for _, v := range resolver.Env(resolver.Normalise(none), none) {
		if v.Name == "P" {
			t.Errorf("without a password there is %+v", v)
		}
	}
	if seen.TLS != nil || seen.CA != "" {
		t.Errorf("without TLS the kind has seen %+v", seen)
	}
}
