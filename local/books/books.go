package books

import (
	"errors"
	"sync"
	"time"
)

// Books are kept from the first push on. Their methods may be called from several goroutines.
type Books struct {
	mu      sync.Mutex
	pushed  map[string]time.Time
	order   []string
	workers map[string]*worker
	outages []span
}

// worker is what the log of one pod says, over the restarts of its container.
type worker struct {
	log   follower
	lines []line
	kills []span
	done  int
}

// span is from before something was killed until after it.
type span struct{ from, to time.Time }

// New returns empty books.
func New() *Books {
	return &Books{pushed: map[string]time.Time{}, workers: map[string]*worker{}}
}

// Pushed notes a task that is being pushed. Identifiers must not repeat.
func (b *Books) Pushed(task string, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pushed[task] = at
	b.order = append(b.order, task)
}

// Killed notes that a pod's worker was killed at some time between the two.
func (b *Books) Killed(pod string, from, to time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.worker(pod)
	w.kills = append(w.kills, span{from, to})
}

// Outage notes that the broker was killed at one time and answered again at another.
func (b *Books) Outage(from, to time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.outages = append(b.outages, span{from, to})
}

// Follow reads a pod's log from now on, at each Refresh.
func (b *Books) Follow(pod, path string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.worker(pod).log.path = path
}

func (b *Books) worker(pod string) *worker {
	w := b.workers[pod]
	if w == nil {
		w = &worker{}
		b.workers[pod] = w
	}
	return w
}

// Refresh reads what the workers have written since.
func (b *Books) Refresh() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for _, w := range b.workers {
		if w.log.path == "" {
			continue
		}
		lines, err := w.log.next()
		errs = append(errs, err)
		w.lines = append(w.lines, lines...)
		for _, l := range lines {
			if l.done {
				w.done++
			}
		}
	}
	return errors.Join(errs...)
}

// Work is what a worker is doing.
type Work struct {
	// Task is the one that was started last and is not done; "" while there is none.
	Task string
	// Since is when it was started, or, without a task, when the last one was done.
	Since time.Time
	// Done counts the tasks that the pod has done.
	Done int
}

// Doing says what a pod's worker is doing, as of the last Refresh.
func (b *Books) Doing(pod string) Work {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.workers[pod]
	if w == nil || len(w.lines) == 0 {
		return Work{}
	}
	last := w.lines[len(w.lines)-1]
	work := Work{Since: last.at, Done: w.done}
	if !last.done {
		work.Task = last.task
	}
	return work
}

// BusyAt reports whether a pod's worker had a task in hand at a time.
func (b *Books) BusyAt(pod string, at time.Time) bool { return b.TaskAt(pod, at) != "" }

// TaskAt is the task that a pod's worker had in hand at a time; "" for none.
func (b *Books) TaskAt(pod string, at time.Time) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	task := ""
	if w := b.workers[pod]; w != nil {
		for _, l := range w.lines {
			if l.at.After(at) {
				break
			}
			task = l.task
			if l.done {
				task = ""
			}
		}
	}
	return task
}

// FirstStart is when a pod's worker started its first task; false while it has not.
func (b *Books) FirstStart(pod string) (time.Time, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.workers[pod]; w != nil && len(w.lines) > 0 {
		return w.lines[0].at, true
	}
	return time.Time{}, false
}

// Count is how many tasks were pushed.
func (b *Books) Count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.pushed)
}

// Open lists the tasks that were pushed and that nobody has done, oldest first.
func (b *Books) Open() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	done := b.doneBy()
	var open []string
	for _, task := range b.order {
		if len(done[task]) == 0 {
			open = append(open, task)
		}
	}
	return open
}
