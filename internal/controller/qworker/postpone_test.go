package qworker

import (
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/planner"
)

// crowd is a controller's queue in which so many wait.
type crowd struct {
	workqueue.TypedRateLimitingInterface[ctrl.Request] // nil: nothing else is asked of it
	waiting                                            int
}

func (c crowd) Len() int { return c.waiting }

func TestWhatMayBePostponed(t *testing.T) {
	created := []planner.Action{{Kind: planner.Create, Pod: "pod-1", Why: "the queue"}}
	cases := map[string]struct {
		change  func(*scope)
		failure error
		want    bool
	}{
		"pods were made in a storm":               {func(*scope) {}, nil, true},
		"as many wait as have their turn at once": {func(s *scope) { s.use(t, crowd{waiting: parallelReconciles}) }, nil, false},
		"nothing was done":                        {func(s *scope) { s.done = nil }, nil, false},
		"it has waited once":                      {func(s *scope) { s.memory.untold = created }, nil, false},
		"a write has failed":                      {func(*scope) {}, errors.New("refused"), false},
		"the spec cannot be followed":             {func(s *scope) { s.stalled = errors.New("no such ScalerConfig") }, nil, false},
		"a revision is published":                 {func(s *scope) { s.decision.Publish = "hash" }, nil, false},
		"tasks were given back":                   {func(s *scope) { s.returned = 1 }, nil, false},
		"tasks could not be given back":           {func(s *scope) { s.reclaimErr = errors.New("no") }, nil, false},
		"right-sizing has something to say":       {func(s *scope) { s.sizes.notes = make([]note, 1) }, nil, false},
		"the QWorker is being deleted":            {func(s *scope) { s.qw.DeletionTimestamp = &metav1.Time{} }, nil, false},
		"the controller has no queue yet":         {func(s *scope) { s.Reconciler = &Reconciler{clock: s.clock} }, nil, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := &scope{
				Reconciler: &Reconciler{clock: clock.RealClock{}}, qw: &v1alpha1.QWorker{}, memory: newMemory("uid"), done: created,
			}
			s.use(t, crowd{waiting: parallelReconciles + 1})
			c.change(s)
			before := len(s.memory.untold)
			if got := s.postpone(c.failure); got != c.want {
				t.Fatalf("postponed: %t, want %t", got, c.want)
			}
			if !c.want {
				if n := len(s.memory.untold); n != before {
					t.Errorf("%d actions are to be told of later, want %d", n, before)
				}
				return
			}
			if d := s.postponedFor(); d <= 0 || d > retryBase {
				t.Errorf("it comes again after %s", d)
			}
			s.again = true
			if d := s.postponedFor(); d > time.Millisecond {
				t.Errorf("with more to do at once, it comes again after %s", d)
			}
			next := &scope{memory: s.memory, done: []planner.Action{{Kind: planner.Create, Pod: "pod-2"}}}
			next.recall()
			if len(next.done) != 2 || next.done[0].Pod != "pod-1" || len(s.memory.untold) > 0 {
				t.Errorf("the next round tells of %v, and the one after it of %v", next.done, s.memory.untold)
			}
		})
	}
}

// use has the controller have a queue.
func (s *scope) use(t *testing.T, queue crowd) {
	t.Helper()
	if err := s.wake.Start(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
}
