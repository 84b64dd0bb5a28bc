package qworker

import (
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/controller/qworker/report"
	rightsizing "github.com/quickube/qscaler/internal/controller/qworker/sizing"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
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
		want    time.Duration
	}{
		"pods were made in a storm":               {func(*round) {}, nil, retryBase},
		"as many wait as have their turn at once": {func(s *round) { s.use(t, crowd{waiting: namespaceReconciles}) }, nil, 0},
		"nothing was done":                        {func(s *round) { s.done = nil }, nil, 0},
		"it has waited once":                      {func(s *round) { s.memory.postponed.note(s.seen.now, created) }, nil, 0},
		"a write has failed":                      {func(*round) {}, errors.New("refused"), 0},
		"the spec cannot be followed":             {func(s *round) { s.seen.stalled = &report.Problem{} }, nil, 0},
		"a revision is published":                 {func(s *round) { s.publishes = "hash" }, nil, 0},
		"tasks returned":                          {func(s *round) { s.seen.dead.Returned = 1 }, nil, 0},
		"tasks could not be reclaimed":            {func(s *round) { s.seen.dead.Failure = errors.New("no") }, nil, 0},
		"right-sizing has something to say":       {func(s *round) { s.sizes.Notes = make([]rightsizing.Note, 1) }, nil, 0},
		"the QWorker is being deleted":            {func(s *round) { s.seen.qw.DeletionTimestamp = &metav1.Time{} }, nil, 0},
		"a departure waits for a reading":         {func(s *round) { s.decision.Withheld = 1 }, nil, readingTimeout},
		"nobody knows that the queue was read":    {func(s *round) { s.decision.Withheld, s.seen.qw.Status.Queue, s.done = 1, nil, nil }, nil, 0},
		"it has waited for a second":              {func(s *round) { s.decision.Withheld = 1; s.memory.postponed.note(s.seen.now.Add(-time.Second), nil) }, nil, time.Second},
		"the reading takes too long": {func(s *round) {
			s.decision.Withheld = 1
			s.memory.postponed.note(s.seen.now.Add(-readingTimeout), nil)
		}, nil, 0},
		"a reading is to tell of a worker's end": {func(s *round) {
			ended := planner.Pod{Name: "a", Phase: planner.Left, EndedWell: s.seen.now, Failure: planner.Failure{At: s.seen.now}}
			s.seen.states, s.seen.ends.workers["a"], s.seen.reading.Known = []planner.Pod{ended}, &end{}, true
			s.seen.revisions.published = &revision.Revision{Content: revision.Content{Queue: "q"}}
		}, nil, readingTimeout},
		"a reading has told of it since the decision": {func(s *round) { s.undecided = true }, nil, retryBase},
		"it has told late": {func(s *round) {
			s.undecided = true
			s.memory.postponed.note(s.seen.now.Add(-readingTimeout), nil)
		}, nil, 0},
		"the controller has no queue yet": {func(s *round) { s.reconciler = &Reconciler{clock: s.reconciler.clock} }, nil, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := &round{
				reconciler: &Reconciler{clock: clock.RealClock{}}, seen: observation{now: time.Now(), qw: &v1alpha1.QWorker{Status: v1alpha1.QWorkerStatus{Queue: &v1alpha1.QueueStatus{}}}, ends: ptr.To(newEnds())}, memory: newMemory("uid"), results: results{done: created},
			}
			s.use(t, crowd{waiting: namespaceReconciles + 1})
			c.change(s)
			if got := s.mayWait(c.failure); got != c.want {
				t.Errorf("it may wait for %s, want %s", got, c.want)
			}
		})
	}
}

// use has the controller have a queue.
func (r *round) use(t *testing.T, queue crowd) {
	t.Helper()
	if err := r.reconciler.requests.Start(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
}
