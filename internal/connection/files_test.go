package connection

import (
	"crypto/tls"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
)

// Workers may have a user of their own, and then see nothing of the operator's.
func TestTheWorkersOwnUser(t *testing.T) {
	operators := func(b *v1alpha1.BrokerConfig) {
		b.Username, b.Password = "operator", &v1alpha1.PasswordSource{Value: ptr.To("operators")}
	}
	secret := corev1.EnvVar{Name: "QSCALER_BROKER_PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: "s"}, Key: "k",
	}}}
	user := func(name string) corev1.EnvVar { return corev1.EnvVar{Name: "QSCALER_BROKER_USERNAME", Value: name} }
	password := func(value string) corev1.EnvVar { return corev1.EnvVar{Name: "QSCALER_BROKER_PASSWORD", Value: value} }
	cases := map[string]struct {
		worker *v1alpha1.WorkerLogin
		want   []corev1.EnvVar
	}{
		"none":                      {nil, []corev1.EnvVar{user("operator"), password("operators")}},
		"one without a password":    {&v1alpha1.WorkerLogin{Username: "w"}, []corev1.EnvVar{user("w")}},
		"the default user":          {&v1alpha1.WorkerLogin{Password: secretRef("s", "k")}, []corev1.EnvVar{secret}},
		"one with a Secret":         {&v1alpha1.WorkerLogin{Username: "w", Password: secretRef("s", "k")}, []corev1.EnvVar{user("w"), secret}},
		"one with a password there": {&v1alpha1.WorkerLogin{Username: "w", Password: &v1alpha1.PasswordSource{Value: ptr.To("pw")}}, []corev1.EnvVar{user("w"), password("pw")}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			sc := config(func(b *v1alpha1.BrokerConfig) { operators(b); b.Worker = c.worker })
			resolver := NewResolver(kinds, nil, nil)
			if diff := cmp.Diff(c.want, resolver.Env(resolver.Normalise(sc), sc)[2:]); diff != "" {
				t.Errorf("Env (-want +got):\n%s", diff)
			}
		})
	}
	withOwn := Normalise(kinds, config(func(b *v1alpha1.BrokerConfig) { operators(b); b.Worker = &v1alpha1.WorkerLogin{} }))
	if withOwn == Normalise(kinds, config(operators)) {
		t.Error("workers with a user of their own are another connection")
	}
}

func TestPathsOfCertificates(t *testing.T) {
	sc := config(func(b *v1alpha1.BrokerConfig) {
		b.TLS = &v1alpha1.TLSConfig{
			CASecret:         &v1alpha1.SecretKeyReference{Name: "ca", Key: "bundle"},
			ClientCertSecret: &v1alpha1.SecretReference{Name: "mine"},
		}
	})
	resolver := NewResolver(kinds, nil, nil)
	want := []corev1.EnvVar{
		{Name: "QSCALER_BROKER_TLS", Value: "true"},
		{Name: "QSCALER_BROKER_TLS_CA_FILE", Value: "/etc/qscaler-broker/ca.crt"},
		{Name: "QSCALER_BROKER_TLS_CERT_FILE", Value: "/etc/qscaler-broker/tls.crt"},
		{Name: "QSCALER_BROKER_TLS_KEY_FILE", Value: "/etc/qscaler-broker/tls.key"},
	}
	spec := resolver.Normalise(sc)
	if diff := cmp.Diff(want, resolver.Env(spec, sc)[2:]); diff != "" {
		t.Errorf("Env (-want +got):\n%s", diff)
	}
	if files := Normalise(kinds, config(nil)).Files(); files != nil {
		t.Errorf("without TLS there are files: %v", files)
	}
}

func TestClientCertificate(t *testing.T) {
	server := redisservertest.StartSecure(t)
	read := func(path string) []byte {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	cert, key := read(server.Cert), read(server.Key)
	cases := map[string]struct {
		data   map[string][]byte
		reason string
		says   string
	}{
		"a pair":            {map[string][]byte{"tls.crt": cert, "tls.key": key}, "", ""},
		"no certificate":    {map[string][]byte{"tls.key": key}, ReasonSecretKeyNotFound, `config.tls.clientCertSecret: Secret ns/mine has no key "tls.crt"`},
		"no key":            {map[string][]byte{"tls.crt": cert}, ReasonSecretKeyNotFound, `no key "tls.key"`},
		"nonsense":          {map[string][]byte{"tls.crt": []byte("x"), "tls.key": key}, ReasonInvalidClientCert, "Secret ns/mine must have a PEM certificate under tls.crt"},
		"another one's key": {map[string][]byte{"tls.crt": read(server.CA), "tls.key": key}, ReasonInvalidClientCert, "its key under tls.key"},
	}
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			store := fake.NewClientBuilder().WithScheme(scheme).WithObjects(
				&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "mine"}, Data: c.data}).Build()
			resolver := NewResolver(kinds, store, store)
			got, err := resolver.Config(t.Context(), "ns", resolver.Normalise(config(func(b *v1alpha1.BrokerConfig) {
				b.TLS = &v1alpha1.TLSConfig{ClientCertSecret: &v1alpha1.SecretReference{Name: "mine"}}
			})))
			var refused *Error
			switch {
			case c.reason != "":
				if !errors.As(err, &refused) || refused.Reason != c.reason || !strings.Contains(refused.Message, c.says) {
					t.Errorf("Config: %v, want %s with %q in it", err, c.reason, c.says)
				}
			case err != nil:
				t.Error(err)
			default:
				want, err := tls.X509KeyPair(cert, key)
				if err != nil {
					t.Fatal(err)
				}
				if own := got.(parsed).TLS.Certificates; len(own) != 1 || !cmp.Equal(own[0].Certificate, want.Certificate) {
					t.Errorf("the certificate is %v", own)
				}
			}
		})
	}
}
