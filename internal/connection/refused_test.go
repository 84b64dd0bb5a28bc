package connection

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/broker"
)

func TestSecretsThatCannotBeRead(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	cases := map[string]struct {
		err    error
		reason string
		says   string
	}{
		"the role lacks it":      {apierrors.NewForbidden(corev1.Resource("secrets"), "s", errors.New("no")), ReasonSecretForbidden, "the verb get on secrets"},
		"the API server is away": {apierrors.NewServiceUnavailable("away"), ReasonSecretUnreadable, "reading Secret ns/s"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			store := fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(interceptor.Funcs{
				Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
					return c.err
				},
			}).Build()
			sc := config(func(b *v1alpha1.BrokerConfig) { b.Password = secretRef("s", "k") })
			_, err := NewResolver(kinds, store, store).Config(t.Context(), "ns", Normalise(kinds, sc))
			if got := broker.ReasonOf(err); string(got) != c.reason || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Config: %v (%s), want %s with %q in it", err, got, c.reason, c.says)
			}
		})
	}
}

// A published revision may still use the password in place when the ScalerConfig has gone over to a Secret.
func TestThePasswordIsNotInPlaceAnyMore(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	before := config(func(b *v1alpha1.BrokerConfig) { b.Password = &v1alpha1.PasswordSource{Value: ptr.To("pw")} })
	after := config(func(b *v1alpha1.BrokerConfig) { b.Password = secretRef("s", "k") })
	cases := map[string]struct {
		objects []client.Object
		reason  string
	}{
		"it has gone over":         {[]client.Object{after}, ReasonPasswordNotFound},
		"the ScalerConfig is gone": {nil, ReasonScalerConfigNotFound},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			store := fake.NewClientBuilder().WithScheme(scheme).WithObjects(c.objects...).Build()
			_, err := NewResolver(kinds, store, store).Config(t.Context(), "ns", Normalise(kinds, before))
			if got := broker.ReasonOf(err); string(got) != c.reason {
				t.Errorf("Config: %v (%s), want %s", err, got, c.reason)
			}
		})
	}
}

func TestConfigOverTLS(t *testing.T) {
	sc := config(func(b *v1alpha1.BrokerConfig) {
		b.Username, b.Database = "u", 2
		b.TLS = &v1alpha1.TLSConfig{InsecureSkipVerify: true}
	})
	config, err := NewResolver(kinds, nil, nil).Config(t.Context(), "ns", Normalise(kinds, sc))
	if err != nil {
		t.Fatal(err)
	}
	e := config.(parsed)
	if e.TLS == nil || e.TLS.ServerName != "h" || !e.TLS.InsecureSkipVerify {
		t.Errorf("TLS = %+v, want the host's name, unverified", e.TLS)
	}
	e.TLS = nil
	if diff := cmp.Diff(parsed{broker.Settings{Host: "h", Port: 6379, Username: "u", Database: 2}}, e, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("Config (-want +got):\n%s", diff)
	}
}

// A revision may be older or newer than the operator.
func TestATypeThatNobodyKnows(t *testing.T) {
	sc := config(nil)
	sc.Spec.Type = "carrier-pigeon"
	_, err := NewResolver(kinds, nil, nil).Config(t.Context(), "ns", Normalise(kinds, sc))
	if got := broker.ReasonOf(err); string(got) != ReasonUnknownType || !strings.Contains(err.Error(), `knows ["other" "redis"]`) {
		t.Errorf("Config: %v (%s), want %s, and which types there are", err, got, ReasonUnknownType)
	}
}

// The block that has the type's name goes to the kind as it is, and to no other.
func TestTheBlockOfItsOwn(t *testing.T) {
	type own struct {
		Stream string `json:"stream"`
	}
	config := struct {
		Host  string `json:"host"`
		Redis *own   `json:"redis,omitempty"`
	}{"h", &own{"s"}}
	for kind, want := range map[string]string{"redis": `{"stream":"s"}`, "kafka": ""} {
		if got := ownBlock(config, kind); got != want {
			t.Errorf("%s: %s, want %s", kind, got, want)
		}
	}
	spec := Spec{Own: `{"stream":"s"}`}
	if got := string(spec.settings().Own); got != spec.Own {
		t.Errorf("the settings have %s, want %s", got, spec.Own)
	}
}
