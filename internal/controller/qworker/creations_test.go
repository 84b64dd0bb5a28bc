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
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
)

// A fleet that cannot grow has a queue that changes all the time: each change wakes the QWorker, and none may make
// it try again before its time.
func TestRefusalsBackOff(t *testing.T) {
	clk := clocktesting.NewFakeClock(time.Now())
	c := creations{}
	other := errors.New("patching a pod failed")
	refusal := fleet.NewCreateError("r2", "p", apierrors.NewForbidden(corev1.Resource("pods"), "p", errors.New("no")))
	fail := func(why error) time.Duration {
		refused, next, rest := c.note(clk.Now(), nil, errors.Join(why, other))
		if !errors.Is(rest, other) || errors.As(rest, new(*fleet.CreateError)) {
			t.Errorf("the rest is %v, want %v alone", rest, other)
		}
		if diff := cmp.Diff([]string{"r2"}, refused); diff != "" {
			t.Errorf("refused (-want +got):\n%s", diff)
		}
		if at := c.failed()["r2"].RetryAt; !at.Equal(next) {
			t.Errorf("the next try is at %s, and one is to look again at %s", at, next)
		}
		return next.Sub(clk.Now())
	}
	for _, want := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond} {
		if got := fail(refusal); got != want {
			t.Errorf("the next try is in %s, want %s", got, want)
		}
	}
	for range 20 {
		fail(refusal)
	}
	if got := fail(refusal); got != time.Minute {
		t.Errorf("the next try is in %s, want the longest, 1m", got)
	}
	if got := fail(fleet.NewCreateError("r2", "p", apierrors.NewServiceUnavailable("away"))); got != 5*time.Second {
		t.Errorf("the next try is in %s, want 5s: nobody has to do anything for the API server to be back", got)
	}
	if r1, held := c.failed()["r1"]; held {
		t.Errorf("r1 is held back until %s for a refusal of r2", r1.RetryAt)
	}
	done := []planner.Action{{Kind: planner.Create, Revision: "r2"}}
	if refused, next, err := c.note(clk.Now(), done, nil); err != nil || len(refused) > 0 || !next.IsZero() || len(c) > 0 {
		t.Errorf("after a success: %v refused, next at %s (%v), still held back: %v", refused, next, err, c)
	}
}

// The next look is for the first of those that are refused.
func TestTheFirstOfTheRefusedIsTriedFirst(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	c := creations{}
	refusal := func(hash string) error {
		return fleet.NewCreateError(hash, "p", apierrors.NewForbidden(corev1.Resource("pods"), "p", errors.New("no")))
	}
	_, _, _ = c.note(now, nil, refusal("r1"))
	refused, next, err := c.note(now, nil, errors.Join(refusal("r2"), refusal("r1")))
	if err != nil {
		t.Errorf("the rest is %v, want none", err)
	}
	if diff := cmp.Diff([]string{"r1", "r2"}, refused); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	if want := now.Add(100 * time.Millisecond); !next.Equal(want) {
		t.Errorf("the next look is at %s, want that for r2 at %s", next, want)
	}
}

// A pod that is gone may have made room in a quota, and in nothing else.
func TestQuotasAreTriedAgainAtOnce(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	c := creations{}
	quota := apierrors.NewForbidden(corev1.Resource("pods"), "p", errors.New("exceeded quota: q"))
	_, _, _ = c.note(now, nil, errors.Join(
		fleet.NewCreateError("r1", "p", quota), fleet.NewCreateError("r2", "p", apierrors.NewServiceUnavailable("away"))))
	c.retryQuotas(now)
	want := map[string]planner.FailedCreation{"r1": {RetryAt: now, Refused: true}, "r2": {RetryAt: now.Add(100 * time.Millisecond)}}
	if diff := cmp.Diff(want, c.failed()); diff != "" {
		t.Errorf("held back (-want +got):\n%s", diff)
	}
}

func TestARevisionThatIsGoneIsHeldBackNoLonger(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	c := creations{}
	refusal := apierrors.NewServiceUnavailable("away")
	_, _, _ = c.note(now, nil, errors.Join(fleet.NewCreateError("r1", "p", refusal), fleet.NewCreateError("r2", "p", refusal)))
	c.forget(&revisions{all: []revision.Revision{{Hash: "r2"}}})
	want := map[string]planner.FailedCreation{"r2": {RetryAt: now.Add(100 * time.Millisecond)}}
	if diff := cmp.Diff(want, c.failed()); diff != "" {
		t.Errorf("held back (-want +got):\n%s", diff)
	}
}

// A canary that is refused is the rollout's trouble, and not the fleet's.
func TestWhichRefusalBlocksTheFleet(t *testing.T) {
	first, second := errors.New("first"), errors.New("second")
	c := creations{"r1": {Err: first}, "r2": {Err: second}}
	cases := map[string]struct {
		refused []string
		canary  string
		want    error
	}{
		"nothing is refused":               {nil, "", nil},
		"a revision is refused":            {[]string{"r1"}, "", first},
		"the first of two":                 {[]string{"r1", "r2"}, "", first},
		"the canary alone is refused":      {[]string{"r1"}, "r1", nil},
		"another one is refused beside it": {[]string{"r1", "r2"}, "r1", second},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			if got := c.blocking(test.refused, test.canary); !errors.Is(got, test.want) || (got == nil) != (test.want == nil) {
				t.Errorf("the fleet is blocked by %v, want %v", got, test.want)
			}
		})
	}
}
