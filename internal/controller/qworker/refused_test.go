package qworker

import (
	"errors"
	"testing"
	"time"

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
	refuse := func() time.Duration {
		if rest := s.noteCreations(errors.Join(&fleet.CreateError{Revision: "r2"}, other)); !errors.Is(rest, other) || errors.As(rest, new(*fleet.CreateError)) {
			t.Errorf("the rest is %v, want %v alone", rest, other)
		}
		return s.refusedUntil()["r2"].Sub(clk.Now())
	}
	for _, want := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond} {
		if got := refuse(); got != want {
			t.Errorf("the next try is in %s, want %s", got, want)
		}
	}
	for range 20 {
		refuse()
	}
	if got := refuse(); got != time.Minute {
		t.Errorf("the next try is in %s, want the longest, 1m", got)
	}
	if until, held := s.refusedUntil()["r1"]; held {
		t.Errorf("r1 is held back until %s for a refusal of r2", until)
	}
	s.done = []planner.Action{{Kind: planner.Create, Revision: "r2"}}
	if err := s.noteCreations(nil); err != nil || len(s.refusedUntil()) > 0 {
		t.Errorf("after a success: %v, still held back: %v", err, s.refusedUntil())
	}
}
