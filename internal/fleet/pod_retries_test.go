package fleet

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/quickube/qscaler/internal/planner"
)

func TestAChangeThatFailsIsTriedEverLessOften(t *testing.T) {
	clk := clocktesting.NewFakeClock(time.Now())
	p := newPodRetries(clk)
	leave := change{pod: "a", kind: planner.GrantLeave}
	refusal := apierrors.NewForbidden(corev1.Resource("pods"), "a", errors.New("no"))
	var calls []time.Duration
	began := clk.Now()
	attempt := func(c change, err error) error {
		return p.attempt("uid", c, func() error {
			calls = append(calls, clk.Since(began))
			return err
		})
	}
	for range 20 { // woken every 50 ms
		if err := attempt(leave, refusal); !errors.Is(err, refusal) {
			t.Fatalf("it failed with %v, want %v each time, tried or not", err, refusal)
		}
		clk.Step(50 * time.Millisecond)
	}
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	if diff := cmp.Diff([]time.Duration{0, ms(100), ms(300), ms(700)}, calls); diff != "" {
		t.Errorf("it was tried at (-want +got):\n%s", diff)
	}

	// Neither another pod waits for that, nor anything else with this one; one that has changed begins anew.
	calls = nil
	for _, c := range []change{{pod: "b", kind: planner.GrantLeave}, {pod: "a", kind: planner.Remove}} {
		if err := attempt(c, nil); err != nil {
			t.Errorf("%v failed: %v", c, err)
		}
	}
	clk.Step(time.Second)
	_ = attempt(leave, errStale)
	_ = attempt(leave, nil)
	if len(calls) != 4 {
		t.Errorf("%d changes were tried, want 4", len(calls))
	}

	_ = attempt(leave, refusal)
	p.forget("uid", nil)
	if len(p.owners) > 0 {
		t.Errorf("of pods that are gone is remembered: %v", p.owners)
	}
}

// What failed with a pod that is still there is remembered, whatever became of others.
func TestOnlyThePodsThatAreGoneAreForgotten(t *testing.T) {
	refused := errors.New("no")
	b := newBehind(ownPod("a"), ownPod("b"), ownPod("c"))
	b.refuse = refused
	pods := []*corev1.Pod{ownPod("a"), ownPod("b"), ownPod("c")}
	var removals []planner.Action
	for _, name := range []string{"a", "b", "c", "d"} {
		removals = append(removals, planner.Action{Kind: planner.Remove, Pod: name})
	}
	remove := func() {
		t.Helper()
		if _, err := b.Apply(t.Context(), owner(), append(pods, ownPod("d")), removals, nil, nil); !errors.Is(err, refused) {
			t.Fatalf("the error is %v", err)
		}
	}
	remove()
	b.refuse = nil
	b.known(t) // a, b and c are there, and d is not
	b.refuse, b.writes = refused, nil
	remove()
	if diff := cmp.Diff([]string{`delete d: {"gracePeriodSeconds":30,"preconditions":{"uid":"uid-of-pod"}}`}, b.writes); diff != "" {
		t.Errorf("tried again at once (-want +got):\n%s", diff)
	}
	b.Forget(owner().UID)
	if len(b.podRetries.owners) > 0 {
		t.Errorf("of a QWorker that is gone is remembered: %v", b.podRetries.owners)
	}
}
