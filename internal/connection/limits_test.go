package connection

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/quickube/qscaler/api/v1alpha1"
)

func TestHosts(t *testing.T) {
	hosts := Hosts{"redis.example.com", "*.prod.svc", "10.0.0.0/8", "192.168.0.7", "fd00::/8"}
	for host, want := range map[string]bool{
		"redis.example.com": true, "REDIS.example.com.": true, "other.example.com": false, "redis.example.com.evil.org": false,
		"a.prod.svc": true, "a.b.prod.svc": true, "prod.svc": false, ".prod.svc": false, "aprod.svc": false,
		"10.0.0.0": true, "10.255.255.255": true, "11.0.0.0": false, "9.255.255.255": false, "::ffff:10.0.0.1": true,
		"192.168.0.7": true, "192.168.0.8": false, "fd00::1": true, "fe80::1": false,
		"10.1": false, "0x0a000001": false, "169.254.169.254": false, "": false,
	} {
		if got := hosts.Allow(host); got != want {
			t.Errorf("%q is allowed: %t, want %t", host, got, want)
		}
	}
	if !Hosts(nil).Allow("any") {
		t.Error("without patterns every host is allowed")
	}
}

func TestPatternsThatAreNone(t *testing.T) {
	if err := (Hosts{"a", "A.b", "*.b", "10.0.0.0/8", "::1", "a_b.c."}).Check(); err != nil {
		t.Error(err)
	}
	for _, pattern := range []string{"", "*", "*.", "a.*", "*b", "redis:6379", "redis://a", "10.0.0.0/33", "a..b", ".a"} {
		err := Hosts{"a", pattern}.Check()
		if err == nil || !strings.Contains(err.Error(), `"`+pattern+`" is no host`) {
			t.Errorf("%q: %v, want the pattern and what it must be", pattern, err)
		}
	}
}

func TestWithinLimits(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	secret := func(name, value string) *corev1.Secret {
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, Labels: map[string]string{SecretLabel: value}},
			Data:       map[string][]byte{"k": []byte("pw")},
		}
	}
	bare := secret("bare", "")
	bare.Labels = nil
	store := fake.NewClientBuilder().WithScheme(scheme).WithObjects(bare, secret("labelled", "true"), secret("declined", "false")).Build()
	cases := map[string]struct {
		limits Limits
		secret string
		reason string
		says   string
	}{
		"no limits":                   {Limits{}, "bare", "", ""},
		"a Secret with the label":     {Limits{LabelledSecrets: true}, "labelled", "", ""},
		"a Secret without":            {Limits{LabelledSecrets: true}, "bare", ReasonSecretNotLabelled, "kubectl label secret -n ns bare quickube.com/broker-credentials=true"},
		"a Secret that says no":       {Limits{LabelledSecrets: true}, "declined", ReasonSecretNotLabelled, "Secret ns/declined has no label"},
		"a host that is allowed":      {Limits{Hosts: Hosts{"h"}}, "bare", "", ""},
		"a host that is not":          {Limits{Hosts: Hosts{"x", "*.y"}}, "bare", ReasonHostNotAllowed, `ScalerConfig ns/sc: the operator may not dial config.host "h", which is not among the hosts of its flag --allowed-broker-hosts; ask who runs the operator`},
		"a host before any Secret is": {Limits{Hosts: Hosts{"x"}}, "none", ReasonHostNotAllowed, "--allowed-broker-hosts"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			resolver := NewResolver(kinds, store, store).Within(c.limits)
			sc := config(func(b *v1alpha1.BrokerConfig) { b.Password = secretRef(c.secret, "k") })
			_, err := resolver.Config(t.Context(), "ns", resolver.Normalise(sc))
			var refused *Error
			switch {
			case c.reason == "" && err != nil:
				t.Errorf("Config: %v", err)
			case c.reason != "" && (!errors.As(err, &refused) || refused.Reason != c.reason || !strings.Contains(refused.Message, c.says)):
				t.Errorf("Config: %v, want %s with %q in it", err, c.reason, c.says)
			}
		})
	}
}
