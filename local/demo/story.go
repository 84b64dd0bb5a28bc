package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/local/brokers"
	"github.com/quickube/qscaler/worker/contract"
)

// chapter is one part of the story.
type chapter struct {
	title, text string
	play        func(context.Context, *stage) error
}

// breath is how long an important picture stays.
const breath = 2 * time.Second

// storyOn is the story on a broker.
func storyOn(b brokers.Broker) []chapter {
	shrink := chapter{"Idle workers leave first", "The short tasks are done. Idle workers leave; the long tasks go on.", idleLeave}
	if b.HidesBusy {
		shrink = chapter{"Nobody leaves in the middle of a task", "The broker hides who is busy: whoever leaves ends its task first.", shrinkUnseen}
	}
	return []chapter{
		{"A burst becomes workers", "24 tasks come at once. There may be 8 workers, and 8 are created.", burstComes},
		shrink,
		{"A change of the spec rolls the fleet", "New workers prove themselves; then old ones leave, after their task.", rollOut},
		{"An image that does not exist", "The rollout stops and says why. The fleet works on; a user mends it.", brokenImage},
		{"A worker is killed with -9", "Its task is not lost: it is done again.", workerDies},
		{"The operator is killed with -9", "The workers work on. The next operator decides from what it sees.", operatorDies},
		{"Back to the minimum", "The queue is empty: 7 of 8 leave, each when it has nothing to do.", backToMin},
	}
}

// play tells the chapters one after the other.
func play(ctx context.Context, s *stage) error {
	story := storyOn(s.broker)
	for i, c := range story {
		s.mu.Lock()
		s.chapter = heading{number: i + 1, of: len(story), title: c.title, text: c.text}
		s.mu.Unlock()
		if err := c.play(ctx, s); err != nil {
			return fmt.Errorf("chapter %d, %q, %w", i+1, c.title, err)
		}
		if err := s.hold(ctx, breath); err != nil {
			return err
		}
	}
	return nil
}

// most is maxReplicas of the manifest.
const most = 8

func burstComes(ctx context.Context, s *stage) error {
	if err := s.until(ctx, "the first worker", func() bool { return s.working() == 1 }); err != nil {
		return err
	}
	if err := s.hold(ctx, breath); err != nil {
		return err
	}
	// The long ones first, so that they are under way when the others are done.
	if err := s.pushMeasured(ctx, append(lengths(4, 21*time.Second, 1500*time.Millisecond), lengths(20, 800*time.Millisecond, 100*time.Millisecond)...)...); err != nil {
		return err
	}
	defer s.endBurst()
	return s.until(ctx, fmt.Sprintf("%d workers", most), func() bool { return s.working() == most })
}

func idleLeave(ctx context.Context, s *stage) error {
	return s.until(ctx, "only the long tasks' workers to be left", func() bool {
		return s.nobodyLeaves() && len(s.live()) == 4 && s.depth() == 4
	})
}

// shrinkUnseen waits until there is a worker for each task that is left. A worker at a long task may have had a grant too:
// then it has left after the task, and fewer are left than by idleLeave.
func shrinkUnseen(ctx context.Context, s *stage) error {
	return s.until(ctx, "a worker for each task that is left", func() bool {
		depth := int(s.depth())
		return s.nobodyLeaves() && depth <= 4 && len(s.live()) == max(depth, 1)
	})
}

func rollOut(ctx context.Context, s *stage) error {
	old := s.revisions()
	if err := s.push(ctx, lengths(10, 2*time.Second, 200*time.Millisecond)...); err != nil {
		return err
	}
	if err := s.until(ctx, "busy workers", func() bool { return s.working() == most }); err != nil {
		return err
	}
	if err := s.release(ctx, "two"); err != nil {
		return err
	}
	return s.until(ctx, "every worker to be of the new revision", func() bool {
		for _, revision := range s.revisions() {
			if slices.Contains(old, revision) {
				return false
			}
		}
		return len(s.live()) > 0
	})
}

func brokenImage(ctx context.Context, s *stage) error {
	if err := s.push(ctx, lengths(6, 1500*time.Millisecond, 200*time.Millisecond)...); err != nil {
		return err
	}
	good, err := s.setImage(ctx, "no-such-image:2")
	if err != nil {
		return err
	}
	if err := s.until(ctx, "the rollout to stop", func() bool { return s.progress() == metav1.ConditionFalse }); err != nil {
		return err
	}
	if err := s.hold(ctx, breath); err != nil {
		return err
	}
	if _, err := s.setImage(ctx, good); err != nil {
		return err
	}
	return s.until(ctx, "the fleet to be of one revision", func() bool {
		return s.progress() == metav1.ConditionTrue && len(s.revisions()) == 1 && s.depth() == 0
	})
}

func workerDies(ctx context.Context, s *stage) error {
	if err := s.pushMeasured(ctx, lengths(16, 2*time.Second, 150*time.Millisecond)...); err != nil {
		return err
	}
	defer s.endBurst()
	if err := s.until(ctx, "busy workers", func() bool { return s.working() == most }); err != nil {
		return err
	}
	s.endBurst()
	task, err := s.killABusyWorker(ctx)
	if err != nil {
		return err
	}
	return s.until(ctx, task+" to be done all the same", func() bool { return !slices.Contains(s.books.Open(), task) })
}

func operatorDies(ctx context.Context, s *stage) error {
	if err := s.push(ctx, lengths(20, 1500*time.Millisecond, 100*time.Millisecond)...); err != nil {
		return err
	}
	if err := s.until(ctx, "busy workers", func() bool { return s.working() == most }); err != nil {
		return err
	}
	if err := s.killOperator(); err != nil {
		return err
	}
	if err := s.push(ctx, lengths(16, time.Second, 150*time.Millisecond)...); err != nil {
		return err
	}
	if err := s.hold(ctx, 2*breath); err != nil {
		return err
	}
	if err := s.startOperator(); err != nil {
		return err
	}
	return s.until(ctx, "the queue to be empty", func() bool { return s.depth() == 0 })
}

func backToMin(ctx context.Context, s *stage) error {
	return s.until(ctx, "one worker to be left, and every task to be done", func() bool {
		return s.nobodyLeaves() && len(s.live()) == 1 && s.depth() == 0 && len(s.books.Open()) == 0
	})
}

// lengths are n lengths from the first on, each longer than the one before by the step.
func lengths(n int, first, step time.Duration) []time.Duration {
	list := make([]time.Duration, n)
	for i := range list {
		list[i] = first + time.Duration(i)*step
	}
	return list
}

// working counts the workers whose container runs and that have no grant.
func (s *stage) working() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.namesWhere(func(w *worker) bool {
		return w.gone.IsZero() && isRunning(&w.pod) && w.pod.Annotations[contract.AnnotationDrain] == ""
	}))
}

func (s *stage) nobodyLeaves() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.namesWhere(func(w *worker) bool {
		return w.gone.IsZero() && w.pod.Annotations[contract.AnnotationDrain] != ""
	})) == 0
}

func (s *stage) depth() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting + s.inFlight
}

// progress is the status of the fleet's condition Progressing.
func (s *stage) progress() metav1.ConditionStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := meta.FindStatusCondition(s.status.Conditions, v1alpha1.ConditionProgressing)
	if c == nil {
		return metav1.ConditionUnknown
	}
	return c.Status
}

// revisions are those of the live workers.
func (s *stage) revisions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var hashes []string
	for _, w := range s.workers {
		if hash := w.pod.Labels[contract.LabelPodSpecHash]; w.gone.IsZero() && !slices.Contains(hashes, hash) {
			hashes = append(hashes, hash)
		}
	}
	return hashes
}
