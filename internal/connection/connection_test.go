package connection

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/broker"
)

func config(shape func(*v1alpha1.BrokerConfig)) *v1alpha1.ScalerConfig {
	sc := &v1alpha1.ScalerConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "sc"},
		Spec:       v1alpha1.ScalerConfigSpec{Type: "redis", Config: v1alpha1.BrokerConfig{Host: "h"}},
	}
	if shape != nil {
		shape(&sc.Spec.Config)
	}
	return sc
}

// parsed is the configuration of a kind that knows nothing but the settings.
type parsed struct{ broker.Settings }

func (p parsed) Equal(other broker.Config) bool { return p.Password.Equal(other.(parsed).Password) }

var errNoSuchUser = errors.New("the user must not be root")

var kinds = broker.Kinds{{Type: "other"}, {
	Type: "redis", Port: 6379,
	Parse: func(s broker.Settings) (broker.Config, error) {
		if s.Username == "root" {
			return nil, errNoSuchUser
		}
		return parsed{s}, nil
	},
	Env: func(s broker.Settings) []broker.Variable {
		if s.Database == 0 {
			return nil
		}
		return []broker.Variable{{Name: "QSCALER_BROKER_DATABASE", Value: strconv.Itoa(int(s.Database))}}
	},
}}

func secretRef(name, key string) *v1alpha1.PasswordSource {
	return &v1alpha1.PasswordSource{Secret: &v1alpha1.SecretKeyReference{Name: name, Key: key}}
}

func TestNormalise(t *testing.T) {
	port := func(p intstr.IntOrString) func(*v1alpha1.BrokerConfig) {
		return func(c *v1alpha1.BrokerConfig) { c.Port = &p }
	}
	literal := func(p string) func(*v1alpha1.BrokerConfig) {
		return func(c *v1alpha1.BrokerConfig) { c.Password = &v1alpha1.PasswordSource{Value: &p} }
	}
	cases := map[string]struct {
		a, b func(*v1alpha1.BrokerConfig)
		same bool
	}{
		"a port as text and as a number": {port(intstr.FromString("6379")), port(intstr.FromInt32(6379)), true},
		"no port is 6379":                {nil, port(intstr.FromInt32(6379)), true},
		"another port":                   {nil, port(intstr.FromInt32(6380)), false},
		"another password in place":      {literal("a"), literal("b"), true},
		"a password and none":            {literal("a"), nil, false},
		"reclaim changes no worker":      {func(c *v1alpha1.BrokerConfig) { c.Reclaim = ptr.To(false) }, nil, true},
		"another Secret": {
			func(c *v1alpha1.BrokerConfig) { c.Password = secretRef("a", "k") },
			func(c *v1alpha1.BrokerConfig) { c.Password = secretRef("b", "k") }, false,
		},
		"TLS": {func(c *v1alpha1.BrokerConfig) { c.TLS = &v1alpha1.TLSConfig{} }, nil, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Normalise(kinds, config(c.a)) == Normalise(kinds, config(c.b)); got != c.same {
				t.Errorf("equal = %t, want %t", got, c.same)
			}
		})
	}
}

func TestEnv(t *testing.T) {
	resolver := NewResolver(kinds, nil, nil)
	sc := config(func(c *v1alpha1.BrokerConfig) {
		c.Host, c.Username, c.Database = "::1", "u", 3
		c.Password = secretRef("s", "k")
		c.TLS = &v1alpha1.TLSConfig{ServerName: "n"}
	})
	want := []corev1.EnvVar{
		{Name: "QSCALER_BROKER", Value: "redis"},
		{Name: "QSCALER_BROKER_ADDRESS", Value: "[::1]:6379"},
		{Name: "QSCALER_BROKER_USERNAME", Value: "u"},
		{Name: "QSCALER_BROKER_PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "s"}, Key: "k",
		}}},
		{Name: "QSCALER_BROKER_DATABASE", Value: "3"},
		{Name: "QSCALER_BROKER_TLS", Value: "true"},
		{Name: "QSCALER_BROKER_TLS_SERVER_NAME", Value: "n"},
	}
	if diff := cmp.Diff(want, resolver.Env(resolver.Normalise(sc), sc)); diff != "" {
		t.Errorf("Env (-want +got):\n%s", diff)
	}
	literal := config(func(c *v1alpha1.BrokerConfig) { c.Password = &v1alpha1.PasswordSource{Value: ptr.To("pw")} })
	spec := resolver.Normalise(literal)
	if env := resolver.Env(spec, literal); env[len(env)-1].Value != "pw" {
		t.Errorf("a password in place: %v", env)
	}
	for _, v := range resolver.Env(spec, nil) {
		if v.Name == "QSCALER_BROKER_PASSWORD" {
			t.Errorf("without the ScalerConfig there is no password, got %v", v)
		}
	}
}

func TestConfig(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	secret := func(namespace, name string) client.Object {
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Data:       map[string][]byte{"k": []byte("of-" + namespace), "empty": {}},
		}
	}
	password := func(p *v1alpha1.PasswordSource) *v1alpha1.ScalerConfig {
		return config(func(c *v1alpha1.BrokerConfig) { c.Password = p })
	}
	cases := map[string]struct {
		config   *v1alpha1.ScalerConfig
		password string
		reason   string
		says     string
	}{
		"no password":               {config(nil), "", "", ""},
		"a password in place":       {password(&v1alpha1.PasswordSource{Value: ptr.To("pw")}), "pw", "", ""},
		"a Secret of the namespace": {password(secretRef("mine", "k")), "of-ns", "", ""},
		"a Secret that exists in the operator's namespace only":    {password(secretRef("theirs", "k")), "", ReasonSecretNotFound, `no Secret "theirs" in namespace ns`},
		"a key that is not there":                                  {password(secretRef("mine", "x")), "", ReasonSecretKeyNotFound, `no key "x"`},
		"a value that is empty, as of a server without a password": {password(secretRef("mine", "empty")), "", "", ""},
		"what its kind does not take":                              {config(func(c *v1alpha1.BrokerConfig) { c.Username = "root" }), "", ReasonInvalidConnection, "ScalerConfig ns/sc: the user must not be root"},
		"authorities that are none": {config(func(c *v1alpha1.BrokerConfig) {
			c.TLS = &v1alpha1.TLSConfig{CASecret: &v1alpha1.SecretKeyReference{Name: "mine", Key: "k"}}
		}), "", ReasonInvalidCA, "no PEM certificate"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			store := fake.NewClientBuilder().WithScheme(scheme).
				WithObjects(secret("ns", "mine"), secret("qscaler-system", "theirs"), c.config).Build()
			resolver := NewResolver(kinds, store, store)
			got, err := resolver.Config(context.Background(), "ns", resolver.Normalise(c.config))
			var refused *Error
			if c.reason == "" {
				if err != nil || !got.(parsed).Password.Equal(broker.NewSecret(c.password)) {
					t.Errorf("Config = %v, %v; want the password %q", got, err, c.password)
				}
				return
			}
			if !errors.As(err, &refused) || refused.Reason != c.reason || !strings.Contains(refused.Message, c.says) {
				t.Errorf("Config = %v, want %s with %q in it", err, c.reason, c.says)
			}
		})
	}
}
