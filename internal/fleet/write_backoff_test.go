package fleet

import (
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/internal/backoff"
)

// What a person must put right is tried for as long as that takes; an outage is not to be paid for when it is over.
func TestThePauseAfterAWriteThatFailed(t *testing.T) {
	now := time.Now()
	pods := corev1.Resource("pods")
	cases := map[string]struct {
		err     error
		longest time.Duration
	}{
		"a quota":                {apierrors.NewForbidden(pods, "p", errors.New("exceeded quota: q")), time.Minute},
		"an invalid pod":         {apierrors.NewInvalid(corev1.SchemeGroupVersion.WithKind("Pod").GroupKind(), "p", nil), time.Minute},
		"a webhook that denies":  {&apierrors.StatusError{ErrStatus: metav1.Status{Code: 418, Message: `admission webhook "a.b" denied the request: no`}}, time.Minute},
		"a webhook that is away": {apierrors.NewInternalError(errors.New(`failed calling webhook "a.b"`)), 5 * time.Second},
		"an overload":            {apierrors.NewTooManyRequests("slow down", 1), 5 * time.Second},
		"a time-out":             {apierrors.NewServerTimeout(pods, "create", 1), 5 * time.Second},
		"nobody listens":         {errors.New("connect: connection refused"), 5 * time.Second},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := fmt.Errorf("patching pod p, %w", c.err)
			first := backoff.State{}.Failed(now, WriteBackoff(err), err)
			last := first
			for range 20 {
				last = last.Failed(now, WriteBackoff(err), err)
			}
			if first.Until.Sub(now) != 100*time.Millisecond || last.Until.Sub(now) != c.longest {
				t.Errorf("pauses from %s to %s, want 100ms to %s", first.Until.Sub(now), last.Until.Sub(now), c.longest)
			}
		})
	}
}
