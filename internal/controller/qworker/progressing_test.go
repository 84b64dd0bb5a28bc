package qworker

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
)

// reconciled is a reconciliation after which r1 is published and r2 is the newest.
func reconciled(change func(*scope)) *scope {
	s := &scope{
		Reconciler: &Reconciler{}, qw: &v1alpha1.QWorker{}, memory: newMemory("uid"), status: &v1alpha1.QWorkerStatus{CurrentPodSpecHash: "r1"},
		config: &v1alpha1.ScalerConfig{}, published: &revision.Revision{Hash: "r1"}, newest: &revision.Revision{Hash: "r2"},
	}
	s.decision.Stage = planner.Canary
	change(s)
	return s
}

func TestProgressingSaysWhatIsSo(t *testing.T) {
	cases := map[string]struct {
		change func(*scope)
		want   string
	}{
		"a canary that could not be created for an overloaded API server is a wait": {
			func(s *scope) {
				s.refused = []string{"r2"}
				s.memory.refusals["r2"] = refusal{err: errors.New("http2: client connection lost")}
			},
			"True CanaryStarting: revision r2 is not published, the fleet stays on r1; a pod of the new one is tried again: http2: client connection lost",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := reconciled(c.change).progressing()
			if diff := cmp.Diff(c.want, string(p.Status)+" "+p.Reason+": "+p.Message); diff != "" {
				t.Errorf("Progressing (-want +got):\n%s", diff)
			}
		})
	}
}
