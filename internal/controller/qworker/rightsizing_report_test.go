package qworker

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/rightsize"
)

// Nobody is told of a raise that does not come.
func TestKillsAreToldOfAsTheyAre(t *testing.T) {
	for words, spec := range map[string]v1alpha1.RightSizingSpec{
		"its memory is raised":     {},
		"new pods get more memory": {Mode: v1alpha1.RightSizingInitial},
		"nothing is changed":       {Mode: v1alpha1.RightSizingOff},
		"it stays as it is":        {ControlledResources: []corev1.ResourceName{"cpu"}},
	} {
		s := sizedScope(t)
		s.sizes.policy = rightsize.PolicyOf(&v1alpha1.QWorker{Spec: v1alpha1.QWorkerSpec{RightSizing: &spec}})
		s.noteKill(rightsize.Kill{Pod: "p", Container: "worker"}, rightsize.Raised)
		if text := s.sizes.notes[0].text; !strings.HasSuffix(text, words) {
			t.Errorf("%+v: %q, want %q", spec, text, words)
		}
	}
}
