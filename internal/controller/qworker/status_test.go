package qworker

import (
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/controller/qworker/report"
	rightsizing "github.com/quickube/qscaler/internal/controller/qworker/sizing"
	"github.com/quickube/qscaler/internal/planner"
)

// crowd is a controller's queue in which so many wait.
type crowd struct {
	workqueue.TypedRateLimitingInterface[ctrl.Request] // nil: nothing else is asked of it
	waiting                                            int
}

func (c crowd) Len() int { return c.waiting }

func TestWhichStatusMayWait(t *testing.T) {
	created := []planner.Action{{Kind: planner.Create, Pod: "pod-1", Why: "the queue"}}
	cases := map[string]struct {
		change  func(*round)
		failure error
		want    bool
	}{
		"pods were made in a storm":               {func(*round) {}, nil, true},
		"as many wait as have their turn at once": {func(s *round) { s.use(t, crowd{waiting: namespaceReconciles}) }, nil, false},
		"nothing was done":                        {func(s *round) { s.done = nil }, nil, false},
		"it has waited once":                      {func(s *round) { s.memory.unreported = created }, nil, false},
		"a write has failed":                      {func(*round) {}, errors.New("refused"), false},
		"the spec cannot be followed":             {func(s *round) { s.stalled = &report.Problem{} }, nil, false},
		"a revision is published":                 {func(s *round) { s.publishes = "hash" }, nil, false},
		"tasks returned":                          {func(s *round) { s.dead.Returned = 1 }, nil, false},
		"tasks could not be reclaimed":            {func(s *round) { s.dead.Failure = errors.New("no") }, nil, false},
		"right-sizing has something to say":       {func(s *round) { s.sizes.Notes = make([]rightsizing.Note, 1) }, nil, false},
		"the QWorker is being deleted":            {func(s *round) { s.qw.DeletionTimestamp = &metav1.Time{} }, nil, false},
		"the controller has no queue yet":         {func(s *round) { s.Reconciler = &Reconciler{clock: s.clock} }, nil, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := &round{
				Reconciler: &Reconciler{clock: clock.RealClock{}}, observation: observation{qw: &v1alpha1.QWorker{}}, memory: newMemory("uid"), results: results{done: created},
			}
			s.use(t, crowd{waiting: namespaceReconciles + 1})
			c.change(s)
			if got := s.mayWait(c.failure); got != c.want {
				t.Errorf("it may wait: %t, want %t", got, c.want)
			}
		})
	}
}

// use has the controller have a queue.
func (r *round) use(t *testing.T, queue crowd) {
	t.Helper()
	if err := r.requests.Start(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
}
