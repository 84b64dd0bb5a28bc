package operator

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/quickube/qscaler/internal/connection"
)

var fingerprintSecret = client.ObjectKey{Namespace: "ns", Name: FingerprintSecretName}

// withFingerprintSecret is an API server that has the Secret, with what somebody has put into it.
func withFingerprintSecret(stored map[string][]byte) *fake.ClientBuilder {
	return fake.NewClientBuilder().WithObjects(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: fingerprintSecret.Namespace, Name: fingerprintSecret.Name}, Data: stored,
	})
}

// The first operator writes the key, and the next ones read it.
func TestTheKeyOfTheFingerprintsIsMadeOnce(t *testing.T) {
	c := withFingerprintSecret(nil).Build()
	first, err := readFingerprintKey(t.Context(), c, fingerprintSecret)
	if err != nil {
		t.Fatal(err)
	}
	next, err := readFingerprintKey(t.Context(), c, fingerprintSecret)
	if err != nil {
		t.Fatal(err)
	}
	if next != first || first == (connection.FingerprintKey{}) {
		t.Errorf("the keys are %x and %x", first, next)
	}
}

// Of two that find the Secret empty at the same time one is refused. It asks again, and takes the other's key.
func TestTwoMakeTheKeyOfTheFingerprints(t *testing.T) {
	var others connection.FingerprintKey
	c := withFingerprintSecret(nil).WithInterceptorFuncs(interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			if others == (connection.FingerprintKey{}) {
				others = connection.NewFingerprintKey()
				var secret corev1.Secret
				if err := c.Get(ctx, fingerprintSecret, &secret); err != nil {
					return err
				}
				secret.Data = map[string][]byte{fingerprintSecretKey: others[:]}
				if err := c.Update(ctx, &secret); err != nil {
					return err
				}
			}
			return c.Update(ctx, o, opts...)
		},
	}).Build()
	if _, err := readFingerprintKey(t.Context(), c, fingerprintSecret); !apierrors.IsConflict(err) {
		t.Errorf("the error is %v, want a conflict", err)
	}
	if key, err := awaitFingerprintKey(t.Context(), c, fingerprintSecret, clock.RealClock{}); key != others || err != nil {
		t.Errorf("the key is %x (%v), want %x", key, err, others)
	}
}

func TestNoKeyOfTheFingerprints(t *testing.T) {
	t.Run("the Secret is not there", func(t *testing.T) {
		if _, err := awaitFingerprintKey(t.Context(), fake.NewClientBuilder().Build(), fingerprintSecret, clock.RealClock{}); !apierrors.IsNotFound(err) {
			t.Errorf("the error is %v, want that it is not found", err)
		}
	})
	t.Run("somebody has put something else there", func(t *testing.T) {
		stored := map[string][]byte{fingerprintSecretKey: []byte("too short"), "note": []byte("ours")}
		c := withFingerprintSecret(stored).Build()
		if _, err := awaitFingerprintKey(t.Context(), c, fingerprintSecret, clock.RealClock{}); !errors.Is(err, errNoFingerprintKey) {
			t.Errorf("the error is %v, want %v", err, errNoFingerprintKey)
		}
		var secret corev1.Secret
		if err := c.Get(t.Context(), fingerprintSecret, &secret); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(stored, secret.Data); diff != "" {
			t.Errorf("the Secret has changed (-want +got):\n%s", diff)
		}
	})
	t.Run("there is no namespace", func(t *testing.T) {
		if key, err := fingerprintKeyOf(t.Context(), Options{}, clock.RealClock{}); err != nil || key == (connection.FingerprintKey{}) {
			t.Errorf("the key is %x (%v), want one of this process", key, err)
		}
	})
}
