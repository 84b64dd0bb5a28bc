package qworker

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
	"github.com/quickube/qscaler/internal/setback"
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

// rollsOutFirst is such a reconciliation of a QWorker that has a revision and a worker, ready or not.
func (s *scope) rollsOutFirst(ready bool) {
	s.newest, s.decision.Stage, s.status.Replicas = s.published, planner.Settled, 1
	s.pods = []*corev1.Pod{{}}
	s.states = []planner.Pod{{Name: "w", Revision: "r1", Phase: planner.Running, Ready: ready}}
}

func TestProgressingSaysWhatIsSo(t *testing.T) {
	cases := map[string]struct {
		change func(*scope)
		want   string
	}{
		"a canary that could not be created for an overloaded API server is a wait": {
			func(s *scope) {
				s.refused = []string{"r2"}
				s.memory.refusals["r2"] = setback.Setback{Err: errors.New("http2: client connection lost")}
			},
			"True CanaryStarting: revision r2 is not published, the fleet stays on r1; a pod of the new one is tried again: http2: client connection lost",
		},
		"the first rollout has no older workers": {
			func(s *scope) {
				s.rollsOutFirst(false)
				s.decision.Obstacle = planner.Obstacle{Reason: planner.DeadlineExceeded, Pod: "w", Message: "Unschedulable"}
			},
			"False ProgressDeadlineExceeded: no worker of revision r1 is ready yet; pod w: Unschedulable",
		},
		"and is not there while no worker is ready": {
			func(s *scope) { s.rollsOutFirst(false) },
			"True RollingOut: no worker of revision r1 is ready yet",
		},
		"but once one is": {
			func(s *scope) { s.rollsOutFirst(true) },
			"True RevisionAvailable: every worker is of revision r1",
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
