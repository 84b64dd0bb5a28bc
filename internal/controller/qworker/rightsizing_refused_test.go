package qworker

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
)

var errQuota = fleet.NewCreateError("r", "p", apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "p",
	errors.New("exceeded quota: q, requested: requests.memory=237Mi, used: requests.memory=64Mi, limited: requests.memory=64Mi")))

// What a process before was answered stands: new pods are made as in the podSpec without another try, and the condition
// says why. A spec that has changed has another.
func TestARefusedSizeOutlivesTheOperator(t *testing.T) {
	s := sizedScope(t)
	s.sizes.fitted, s.sizes.raised = true, true
	_ = s.fallBack(errQuota)
	before := s.rightSizing()
	s.setCondition(before)
	for generation, applies := range map[int64]bool{0: false, 1: true} {
		s.memory.sizes = nil
		s.sizeMemory(t.Context()).forgetRefusals(generation)
		if s.appliesToNew() != applies {
			t.Errorf("generation %d: the size is tried: %t, want %t", generation, !applies, applies)
		}
		if diff := cmp.Diff(before, s.rightSizing()); (diff == "") == applies {
			t.Errorf("generation %d: the condition, -before +after:\n%s", generation, diff)
		}
	}
}

// A refusal of the recommended size is no longer blamed for what refuses the template's size too, and what else
// has failed is not lost with it.
func TestARefusedSizeIsBlamedOnlyForWhatItIs(t *testing.T) {
	s := sizedScope(t)
	s.sizes.fitted, s.sizes.raised = true, true
	other := errors.New("patching a pod failed")
	if rest := s.fallBack(errors.Join(other, errQuota)); !errors.Is(rest, other) || errors.Is(rest, errQuota) {
		t.Errorf("the rest is %v, want %v alone", rest, other)
	}
	if s.appliesToNew() || !s.again {
		t.Error("the next pod is not made as the template has it")
	}
	if rest := s.fallBack(errQuota); !errors.Is(rest, errQuota) || !s.appliesToNew() {
		t.Errorf("the template's size is refused: the rest is %v, and the size is still to blame", rest)
	}
	if rest := s.fallBack(errQuota); !errors.Is(rest, errQuota) || !s.appliesToNew() {
		t.Errorf("the size is blamed again at once: the rest is %v", rest)
	}
	for range 60 { // as long as that goes on, however long the pauses are
		s.now = s.now.Add(time.Minute + time.Second)
		if rest := s.fallBack(errQuota); !errors.Is(rest, errQuota) || !s.appliesToNew() {
			t.Fatalf("the size is blamed again, and nothing has changed: the rest is %v", rest)
		}
	}
	s.done = []planner.Action{{Kind: planner.Create}}
	_ = s.fallBack(errQuota)
	if s.appliesToNew() {
		t.Error("pods can be created, and the size is not to blame for the one that is refused")
	}
}
