package qworker

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/quickube/qscaler/internal/fleet"
)

// The API server is asked once for each revision. After a refusal it is asked ever less often, whoever was refused, the
// dry run or a pod. Where it gives no answer, nothing is told.
func TestTheAPIServerIsAskedOncePerRevision(t *testing.T) {
	type step struct {
		// after is the time since the step before.
		after time.Duration
		hash  string
		// says is the answer of a dry run.
		says error
		// failed is why a pod could not be created since the step before.
		failed error
		// asks is true where there is a dry run, refused where a refusal is told, and next is when the next one may be.
		asks, refused bool
		next          time.Duration
	}
	refusal := fleet.NewCreateError("r1", "pod-1", apierrors.NewForbidden(corev1.Resource("pods"), "p", errors.New("no")))
	away := fleet.NewCreateError("r1", "pod-1", apierrors.NewServiceUnavailable("away"))
	sideEffects := fleet.NewCreateError("r1", "pod-1", apierrors.NewBadRequest(`admission webhook "a.example.com" does not support dry run`))
	for name, steps := range map[string][]step{
		"a pod that is accepted": {
			{hash: "r1", asks: true}, {after: time.Hour, hash: "r1"}, {hash: "r2", asks: true}, {after: time.Hour, hash: "r2"},
		},
		"a refusal, until it is over": {
			{hash: "r1", says: refusal, asks: true, refused: true, next: 100 * time.Millisecond},
			{after: 99 * time.Millisecond, hash: "r1", refused: true, next: time.Millisecond},
			{after: time.Millisecond, hash: "r1", says: refusal, asks: true, refused: true, next: 200 * time.Millisecond},
			{after: 200 * time.Millisecond, hash: "r1", asks: true},
			{after: time.Hour, hash: "r1"},
		},
		"a refusal of a revision that is replaced": {
			{hash: "r1", says: refusal, asks: true, refused: true, next: 100 * time.Millisecond}, {hash: "r2", asks: true},
		},
		"a pod that is refused later": {
			{hash: "r1", asks: true},
			{hash: "r1", failed: refusal, refused: true, next: 100 * time.Millisecond},
			{after: time.Second, hash: "r1", asks: true},
			{after: time.Hour, hash: "r1"},
		},
		"a pod that fails later for another reason": {
			{hash: "r1", asks: true}, {hash: "r1", failed: away}, {after: time.Hour, hash: "r1"},
		},
		"no answer":                 {{hash: "r1", says: away, asks: true}, {hash: "r1", says: away, asks: true}, {hash: "r1", asks: true}, {hash: "r1"}},
		"a webhook of side effects": {{hash: "r1", says: sideEffects, asks: true}, {after: time.Hour, hash: "r1"}},
	} {
		t.Run(name, func(t *testing.T) {
			clk, failures, state := clocktesting.NewFakeClock(time.Now()), creations{}, trial{}
			for i, s := range steps {
				clk.Step(s.after)
				if s.failed != nil {
					_, _, _ = failures.note(clk.Now(), nil, s.failed)
				}
				asked := false
				next, refused := state.answer(clk, s.hash, failures, func() error { asked = true; return s.says })
				got := step{after: s.after, hash: s.hash, says: s.says, failed: s.failed, asks: asked, refused: refused != nil}
				if !next.IsZero() {
					got.next = next.Sub(clk.Now())
				}
				if diff := cmp.Diff(s, got, cmp.AllowUnexported(step{}), cmp.Comparer(errors.Is)); diff != "" {
					t.Errorf("step %d, -want +got:\n%s", i, diff)
				}
			}
		})
	}
}

// A webhook that was registered long ago may have side effects, and then takes no dry runs: the API server says so as it
// says that a request is bad.
func TestWhatIsNoAnswer(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"a webhook takes no dry runs": {apierrors.NewBadRequest(`admission webhook "a.example.com" does not support dry run`), true},
		"a webhook denies":            {apierrors.NewForbidden(corev1.Resource("pods"), "p", errors.New("denied the request")), false},
		"a field is not known":        {apierrors.NewBadRequest("strict decoding error: unknown field"), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := takesNoDryRuns(tc.err); got != tc.want {
				t.Errorf("%t, want %t", got, tc.want)
			}
		})
	}
}
