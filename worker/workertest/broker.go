package workertest

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/internal/enqueue"
)

// queue is the name of every queue.
const queue = "test"

// longestWait bounds every wait, in real time; only a failing test uses it up.
const longestWait = 10 * time.Second

// Broker is a queue in memory, with a clock that only Advance moves.
type Broker struct {
	t testing.TB

	mu  sync.Mutex
	now time.Time
	// waiting has the youngest task first and the next one last, as a Redis list has.
	waiting []string
	lists   map[string][]string
	delayed []delayed
	dead    []string
	// payloads are those that dead letters keep apart, by PayloadField.
	payloads map[string]string
	done     []string
	unique   map[string]owner
	// deadlines has the attempts under way that have a time-out.
	deadlines []*deadline
	// reservations counts, so that each has a name of its own.
	reservations int
	// changed is closed with each change, and made anew.
	changed chan struct{}
}

// owner is the task that has a uniqueness key, until some time at the latest.
type owner struct {
	name  string
	until time.Time
}

// delayed is a task that waits for its time.
type delayed struct {
	due     time.Time
	element string
}

// New returns an empty queue. Its clock begins on 2026-01-01.
func New(t testing.TB) *Broker {
	return &Broker{
		t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		lists: map[string][]string{}, unique: map[string]owner{}, payloads: map[string]string{}, changed: make(chan struct{}),
	}
}

// Push pushes payloads, as LPUSH does.
func (b *Broker) Push(payloads ...string) {
	b.change(func() {
		for _, payload := range payloads {
			b.waiting = slices.Insert(b.waiting, 0, payload)
		}
	})
}

// Enqueue enqueues a task as a worker.Client does, with its options, and returns the task's identifier.
func (b *Broker) Enqueue(payload string, opts ...worker.EnqueueOption) (id string, err error) {
	o := enqueue.New()
	for _, option := range opts {
		option(&o)
	}
	if err := o.Check(queue); err != nil {
		return "", err
	}
	b.change(func() {
		if o.Unique != "" && b.unique[o.Unique].until.After(b.now) {
			id, err = "", fmt.Errorf("enqueuing with key %q, %w", o.Unique, worker.ErrDuplicate)
			return
		}
		if o.Unique != "" {
			b.unique[o.Unique] = owner{o.Owner(), b.now.Add(max(o.Delay, 0)).Add(o.UniqueFor)}
		}
		t := o.Task(payload)
		t.First = b.now
		b.delayed = append(b.delayed, delayed{due: b.now.Add(o.Delay), element: t.Element()})
		b.promote()
		id = o.ID
	})
	return id, err
}

// Advance moves the clock. Delayed tasks that are then due wait in the queue, and attempts whose time is over are
// cancelled.
func (b *Broker) Advance(d time.Duration) {
	b.change(func() {
		b.now = b.now.Add(d)
		b.promote()
		b.expire()
	})
}

// clock tells the time.
func (b *Broker) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

// Done has the payloads of the tasks that were acknowledged, in that order.
func (b *Broker) Done() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.done)
}

// Waiting counts the tasks that no worker has reserved and that are due.
func (b *Broker) Waiting() int { return b.count(func() int { return len(b.waiting) }) }

// InHand counts the tasks that are reserved, those of workers that were killed included.
func (b *Broker) InHand() int {
	return b.count(func() int {
		n := 0
		for _, list := range b.lists {
			n += len(list)
		}
		return n
	})
}

// Delayed counts the tasks that wait for their time: retries, and those enqueued with a delay.
func (b *Broker) Delayed() int { return b.count(func() int { return len(b.delayed) }) }

// DeadLetters has the tasks that were given up, the oldest first.
func (b *Broker) DeadLetters() []worker.DeadLetter {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	letters := make([]worker.DeadLetter, len(b.dead))
	for i, raw := range b.dead {
		var err error
		if letters[i], err = worker.ParseDeadLetter(raw); err != nil {
			b.t.Fatal(err)
		}
		if field := letters[i].PayloadField; field != "" {
			letters[i].Payload = []byte(b.payloads[field])
		}
	}
	return letters
}

// AwaitDone waits until at least so many tasks were acknowledged since the beginning.
func (b *Broker) AwaitDone(n int) {
	b.t.Helper()
	b.await(fmt.Sprintf("%d or more to be done", n), func() bool { return len(b.done) >= n })
}

// AwaitDelayed waits until exactly so many tasks wait for their time.
func (b *Broker) AwaitDelayed(n int) {
	b.t.Helper()
	b.await(fmt.Sprintf("%d to be delayed", n), func() bool { return len(b.delayed) == n })
}

// AwaitDead waits until at least so many tasks were given up since the beginning.
func (b *Broker) AwaitDead(n int) {
	b.t.Helper()
	b.await(fmt.Sprintf("%d or more to be dead", n), func() bool { return len(b.dead) >= n })
}

func (b *Broker) await(what string, there func() bool) {
	b.t.Helper()
	timeout := time.After(longestWait)
	for {
		b.mu.Lock()
		ok, changed := there(), b.changed
		b.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			b.t.Fatalf("waited %s for %s: %s", longestWait, what, b)
		}
	}
}

func (b *Broker) count(n func() int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return n()
}

func (b *Broker) change(step func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	step()
	b.tell()
}

// tell wakes those who wait. The lock is held.
func (b *Broker) tell() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// Start runs a worker in a pod named "pod-0"; see StartIn.
func (b *Broker) Start(handler worker.Handler, opts ...worker.Option) *Process {
	b.t.Helper()
	return b.StartIn("pod-0", handler, opts...)
}

// StartIn runs a worker in a pod of the given name, until the test's end at the latest. A worker that is started in
// the pod of a killed one does the tasks that are still in the pod's list.
func (b *Broker) StartIn(pod string, handler worker.Handler, opts ...worker.Option) *Process {
	b.t.Helper()
	p := &Process{
		t: b.t, share: &share{Broker: b, pod: pod}, killed: make(chan struct{}), looks: make(chan chan<- struct{}),
		drain: filepath.Join(b.t.TempDir(), "drain"), ended: make(chan struct{}),
	}
	p.run(handler, opts)
	return p
}

// Reclaim returns to the queue what a pod that is gone had in hand, as the operator does. Kill its worker first.
func (b *Broker) Reclaim(pod string) {
	b.change(func() {
		for _, element := range slices.Backward(b.lists[pod]) {
			b.waiting = append(b.waiting, element)
		}
		delete(b.lists, pod)
	})
}

// String is the state of the queue, for a test's messages.
func (b *Broker) String() string {
	return fmt.Sprintf("%d done, %d waiting, %d in hand, %d delayed, %d dead", len(b.Done()), b.Waiting(), b.InHand(), b.Delayed(), len(b.DeadLetters()))
}
