package connection

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/redis"
)

// bySentinel is a connection by a Sentinel with this password.
func bySentinel(p *v1alpha1.PasswordSource, more ...func(*v1alpha1.BrokerConfig)) *v1alpha1.ScalerConfig {
	return config(func(c *v1alpha1.BrokerConfig) {
		c.Redis = &v1alpha1.RedisConfig{Sentinel: &v1alpha1.RedisSentinel{Master: "m", Username: "u", Password: p}}
		for _, change := range more {
			change(c)
		}
	})
}

var redisKind = broker.Kinds{redis.Kind()}

// A revision keeps where the password of the Sentinels comes from, and never what it is.
func TestThePasswordOfSentinelsIsInNoRevision(t *testing.T) {
	literal := &v1alpha1.PasswordSource{Value: ptr.To("s3cret")}
	sc := bySentinel(literal)
	spec := Normalise(redisKind, sc)
	if strings.Contains(ID("ns", spec), "s3cret") || !spec.OwnPassword.Literal || spec.Own != `{"sentinel":{"master":"m","username":"u"}}` {
		t.Errorf("the connection is %+v", spec)
	}
	if sc.Spec.Config.Redis.Sentinel.Password != literal {
		t.Error("the ScalerConfig was changed")
	}
	for name, c := range map[string]struct {
		other *v1alpha1.ScalerConfig
		same  bool
	}{
		"another password in place": {bySentinel(&v1alpha1.PasswordSource{Value: ptr.To("other")}), true},
		"a Secret":                  {bySentinel(secretRef("s", "k")), false},
		"none":                      {bySentinel(nil), false},
		"its usual port":            {bySentinel(literal, func(c *v1alpha1.BrokerConfig) { c.Port = ptr.To(intstr.FromInt32(26379)) }), true},
		"that of a server":          {bySentinel(literal, func(c *v1alpha1.BrokerConfig) { c.Port = ptr.To(intstr.FromInt32(6379)) }), false},
	} {
		if got := Normalise(redisKind, c.other) == spec; got != c.same {
			t.Errorf("%s: equal = %t, want %t", name, got, c.same)
		}
	}
}

func TestVariablesOfASentinel(t *testing.T) {
	resolver := NewResolver(redisKind, nil, nil)
	want := func(password ...corev1.EnvVar) []corev1.EnvVar {
		env := []corev1.EnvVar{
			{Name: "QSCALER_BROKER", Value: "redis"},
			{Name: "QSCALER_BROKER_ADDRESS", Value: "h:26379"},
			{Name: "QSCALER_REDIS_SENTINEL_MASTER", Value: "m"},
		}
		env = append(env, password...)
		return append(env, corev1.EnvVar{Name: "QSCALER_REDIS_SENTINEL_USERNAME", Value: "u"})
	}
	for name, c := range map[string]struct {
		password *v1alpha1.PasswordSource
		want     []corev1.EnvVar
		needs    bool
	}{
		"no password":         {nil, want(), false},
		"a password in place": {&v1alpha1.PasswordSource{Value: ptr.To("pw")}, want(corev1.EnvVar{Name: "QSCALER_REDIS_SENTINEL_PASSWORD", Value: "pw"}), true},
		"a Secret": {secretRef("s", "k"), want(corev1.EnvVar{Name: "QSCALER_REDIS_SENTINEL_PASSWORD", ValueFrom: &corev1.EnvVarSource{
			SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}, Key: "k"},
		}}), false},
	} {
		sc := bySentinel(c.password)
		spec := resolver.Normalise(sc)
		if diff := cmp.Diff(c.want, resolver.Env(spec, sc)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if spec.NeedsScalerConfig() != c.needs {
			t.Errorf("%s: it needs the ScalerConfig: %t", name, !c.needs)
		}
	}
}

func TestVariablesOfACluster(t *testing.T) {
	resolver := NewResolver(redisKind, nil, nil)
	sc := config(func(c *v1alpha1.BrokerConfig) { c.Redis = &v1alpha1.RedisConfig{Cluster: true} })
	want := []corev1.EnvVar{
		{Name: "QSCALER_BROKER", Value: "redis"},
		{Name: "QSCALER_BROKER_ADDRESS", Value: "h:6379"},
		{Name: "QSCALER_REDIS_CLUSTER", Value: "true"},
	}
	if diff := cmp.Diff(want, resolver.Env(resolver.Normalise(sc), sc)); diff != "" {
		t.Errorf("Env (-want +got):\n%s", diff)
	}
}

func TestThePasswordOfSentinels(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "s"}, Data: map[string][]byte{"k": []byte("of-the-secret")}}
	for name, c := range map[string]struct {
		sc             *v1alpha1.ScalerConfig
		password, says string
	}{
		"none":                         {bySentinel(nil), "", ""},
		"one in place":                 {bySentinel(&v1alpha1.PasswordSource{Value: ptr.To("pw")}), "pw", ""},
		"one in a Secret":              {bySentinel(secretRef("s", "k")), "of-the-secret", ""},
		"a Secret that is not there":   {bySentinel(secretRef("other", "k")), "", `config.redis.sentinel.password.secret: there is no Secret "other"`},
		"a password beside the server": {bySentinel(secretRef("s", "k"), func(c *v1alpha1.BrokerConfig) { c.Password = secretRef("s", "k") }), "of-the-secret", ""},
	} {
		store := fake.NewClientBuilder().WithScheme(scheme).WithObjects(secret, c.sc).Build()
		resolver := NewResolver(redisKind, store, store)
		got, err := resolver.Config(t.Context(), "ns", resolver.Normalise(c.sc))
		var refused *Error
		switch {
		case c.says != "":
			if !errors.As(err, &refused) || !strings.Contains(refused.Message, c.says) {
				t.Errorf("%s: %v, want %q", name, err, c.says)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		default:
			sentinel := got.(redis.Config).Sentinel
			if sentinel.Master != "m" || sentinel.Username != "u" || !sentinel.Password.Equal(broker.NewSecret(c.password)) {
				t.Errorf("%s: %+v with the password %q, want %q", name, sentinel, sentinel.Password.Reveal(), c.password)
			}
		}
	}
}

// A literal that the ScalerConfig has lost is told by its own field.
func TestAPasswordOfSentinelsThatIsGone(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	spec := Normalise(redisKind, bySentinel(&v1alpha1.PasswordSource{Value: ptr.To("pw")}))
	store := fake.NewClientBuilder().WithScheme(scheme).WithObjects(bySentinel(nil)).Build()
	_, err := NewResolver(redisKind, store, store).Config(t.Context(), "ns", spec)
	if string(broker.ReasonOf(err)) != ReasonPasswordNotFound || !strings.Contains(err.Error(), "no config.redis.sentinel.password.value any more") {
		t.Errorf("Config: %v", err)
	}
}
