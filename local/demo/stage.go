package demo

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/local/brokers"
	"github.com/quickube/qscaler/local/stack"
)

// stage is what the story can do: it changes the world only as a user, a crash or a producer could.
type stage struct {
	*world
	stack  *stack.Stack
	client client.Client
	broker brokers.Broker
	queue  brokers.Queue
}

// say tells what the story does.
func (s *stage) say(at time.Time, what, why string) {
	s.tell(news{at: at.Sub(s.began), from: fromStory, what: what, why: why})
}

// push pushes tasks of the given lengths, in this order.
func (s *stage) push(ctx context.Context, lengths ...time.Duration) error {
	s.say(time.Now(), fmt.Sprintf("%s x%d", s.broker.Verb, len(lengths)), "a producer pushes "+describe(lengths))
	for _, length := range lengths {
		s.mu.Lock()
		s.pushed++
		id := fmt.Sprintf("t-%d", s.pushed)
		s.lengths[id] = length
		s.mu.Unlock()
		payload := fmt.Sprintf(`{"id":%q,"ms":%d}`, id, length.Milliseconds())
		s.books.Pushed(id, time.Now())
		if err := s.queue.Push(ctx, payload); err != nil {
			return fmt.Errorf("pushing %s, %w", id, err)
		}
	}
	return nil
}

// pushMeasured pushes, and counts the workers that come from now on as this burst's, until endBurst.
func (s *stage) pushMeasured(ctx context.Context, lengths ...time.Duration) error {
	s.mu.Lock()
	s.burst = &burst{at: time.Now()}
	s.bursts = append(s.bursts, s.burst)
	s.mu.Unlock()
	return s.push(ctx, lengths...)
}

func (s *stage) endBurst() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.burst = nil
}

func describe(lengths []time.Duration) string {
	shortest, longest := lengths[0], lengths[0]
	for _, length := range lengths {
		shortest, longest = min(shortest, length), max(longest, length)
	}
	return fmt.Sprintf("%d tasks of %.1f to %.1f s", len(lengths), shortest.Seconds(), longest.Seconds())
}

// release changes the pod spec.
func (s *stage) release(ctx context.Context, version string) error {
	s.say(time.Now(), "kubectl edit", "a user sets RELEASE="+version+" in the pod spec")
	return s.edit(ctx, func(worker *corev1.Container) {
		worker.Env = []corev1.EnvVar{{Name: "RELEASE", Value: version}}
	})
}

// setImage changes the image, and returns the one that was there.
func (s *stage) setImage(ctx context.Context, image string) (before string, err error) {
	s.say(time.Now(), "kubectl edit", "a user sets the image "+image)
	err = s.edit(ctx, func(worker *corev1.Container) {
		before, worker.Image = worker.Image, image
	})
	return before, err
}

func (s *stage) edit(ctx context.Context, change func(worker *corev1.Container)) error {
	q := &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: workerName}}
	if err := s.client.Get(ctx, client.ObjectKeyFromObject(q), q); err != nil {
		return err
	}
	before := q.DeepCopy()
	change(&q.Spec.PodSpec.Containers[0])
	return s.client.Patch(ctx, q, client.MergeFrom(before))
}

// killABusyWorker kills a worker in the middle of a task, and returns the task.
func (s *stage) killABusyWorker(ctx context.Context) (task string, err error) {
	const margin = 400 * time.Millisecond // from the start and to the end of the task
	pod := ""
	err = s.until(ctx, "a worker in the middle of a task", func() bool {
		for _, name := range s.live() {
			work := s.books.Doing(name)
			s.mu.Lock()
			length := s.lengths[work.Task]
			s.mu.Unlock()
			if spent := time.Since(work.Since); work.Task != "" && spent > margin && spent < length-margin {
				pod, task = name, work.Task
				return true
			}
		}
		return false
	})
	if err != nil {
		return "", err
	}
	from := time.Now()
	if err := s.stack.KillWorker(namespace, pod); err != nil {
		return "", err
	}
	s.books.Killed(pod, from, time.Now())
	s.mu.Lock()
	s.workers[pod].killed = from
	s.mu.Unlock()
	s.say(from, "kill -9", fmt.Sprintf("worker %s dies in the middle of %s", short(pod), task))
	return task, nil
}

func (s *stage) killOperator() error {
	s.say(time.Now(), "kill -9", "the operator dies")
	s.mu.Lock()
	s.operatorDown = true
	s.mu.Unlock()
	return s.stack.Operator().Kill()
}

func (s *stage) startOperator() error {
	s.say(time.Now(), "start", "the operator starts again, and knows only what it sees")
	if err := s.stack.Operator().Start(); err != nil {
		return err
	}
	s.mu.Lock()
	s.operatorDown = false
	s.mu.Unlock()
	return nil
}

// waitLimit bounds every wait of the story.
const waitLimit = 60 * time.Second

// until waits for a condition.
func (s *stage) until(ctx context.Context, what string, condition func() bool) error {
	ticker := time.NewTicker(lookEvery / 2)
	defer ticker.Stop()
	deadline := time.NewTimer(waitLimit)
	defer deadline.Stop()
	for !condition() {
		select {
		case <-ticker.C:
		case <-deadline.C:
			return fmt.Errorf("waiting for %s: not within %s", what, waitLimit)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// hold keeps the picture on the screen for a moment.
func (s *stage) hold(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
