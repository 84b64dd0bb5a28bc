package qworker

import (
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
)

// A fleet that cannot grow has a queue that changes all the time: each change wakes the QWorker, and none may make
// it try again before its time.
func TestRefusalsBackOff(t *testing.T) {
	clk := clocktesting.NewFakeClock(time.Now())
	s := &scope{Reconciler: &Reconciler{clock: clk}, memory: newMemory("uid"), now: clk.Now()}
	other := errors.New("patching a pod failed")
	refusal := fleet.NewCreateError("r2", "p", apierrors.NewForbidden(corev1.Resource("pods"), "p", errors.New("no")))
	fail := func(why error) time.Duration {
		if rest := s.noteCreations(errors.Join(why, other)); !errors.Is(rest, other) || errors.As(rest, new(*fleet.CreateError)) {
			t.Errorf("the rest is %v, want %v alone", rest, other)
		}
		return s.setbacks()["r2"].Until.Sub(clk.Now())
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
	if r1, held := s.setbacks()["r1"]; held {
		t.Errorf("r1 is held back until %s for a refusal of r2", r1.Until)
	}
	s.done = []planner.Action{{Kind: planner.Create, Revision: "r2"}}
	if err := s.noteCreations(nil); err != nil || len(s.setbacks()) > 0 {
		t.Errorf("after a success: %v, still held back: %v", err, s.setbacks())
	}
}
