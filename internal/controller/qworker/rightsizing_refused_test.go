package qworker

import (
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
)

// A refusal of the recommended size is no longer blamed for what refuses the template's size too, and what else
// has failed is not lost with it.
func TestARefusedSizeIsBlamedOnlyForWhatItIs(t *testing.T) {
	s := sizedScope(t)
	s.sizes.fitted, s.sizes.raised = true, true
	quota := fleet.NewCreateError("r", "p", apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "p",
		errors.New("exceeded quota: q, requested: requests.memory=237Mi, used: requests.memory=64Mi, limited: requests.memory=64Mi")))
	other := errors.New("patching a pod failed")
	if rest := s.fallBack(errors.Join(other, quota)); !errors.Is(rest, other) || errors.Is(rest, quota) {
		t.Errorf("the rest is %v, want %v alone", rest, other)
	}
	if s.appliesToNew() || !s.again {
		t.Error("the next pod is not made as the template has it")
	}
	if rest := s.fallBack(quota); !errors.Is(rest, quota) || !s.appliesToNew() {
		t.Errorf("the template's size is refused: the rest is %v, and the size is still to blame", rest)
	}
	if rest := s.fallBack(quota); !errors.Is(rest, quota) || !s.appliesToNew() {
		t.Errorf("the size is blamed again at once: the rest is %v", rest)
	}
	s.done = []planner.Action{{Kind: planner.Create}}
	_ = s.fallBack(quota)
	if s.appliesToNew() {
		t.Error("pods can be created, and the size is not to blame for the one that is refused")
	}
}
