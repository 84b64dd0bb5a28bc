package books

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Balance is what became of the tasks.
type Balance struct {
	Pushed, DoneOnce int
	// Again has the tasks that were done more than once, each with the cause.
	Again []Repeat
	// Waiting has the tasks that were not done and that the broker still holds.
	Waiting []string
	// Lost has the tasks that were not done and that are nowhere.
	Lost []string
	// Killed has the tasks that a kill of their worker cut off. They were to be done again.
	Killed []Interruption
	// Interrupted has the tasks whose worker ended in their middle without having been killed.
	Interrupted []Interruption
	// Strange has the tasks that workers did and nobody pushed.
	Strange []string
}

// Repeat is a task that was done more than once.
type Repeat struct {
	Task string
	// Pods did it, in the order in which they were done with it.
	Pods []string
	// Cause is "" where nothing that was done to the workers or the broker explains it.
	Cause string
}

// Interruption is a task that a worker began and did not finish.
type Interruption struct {
	Task, Pod string
	At        time.Time // of its start
}

// Sound reports whether every task was done, none of them twice without a cause, and none was interrupted.
func (b Balance) Sound() bool {
	unexplained := slices.ContainsFunc(b.Again, func(r Repeat) bool { return r.Cause == "" })
	return len(b.Lost)+len(b.Waiting)+len(b.Interrupted)+len(b.Strange) == 0 && !unexplained
}

func (b Balance) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "pushed %d, done once %d, done again %d, waiting %d, lost %d, cut off by a kill %d, interrupted %d",
		b.Pushed, b.DoneOnce, len(b.Again), len(b.Waiting), len(b.Lost), len(b.Killed), len(b.Interrupted))
	for _, r := range b.Again {
		fmt.Fprintf(&s, "\n  %s was done by %s: %s", r.Task, strings.Join(r.Pods, ", "), orUnexplained(r.Cause))
	}
	for _, i := range b.Interrupted {
		fmt.Fprintf(&s, "\n  %s was interrupted in %s, which had started it at %s", i.Task, i.Pod, i.At.Format("15:04:05.000"))
	}
	for name, tasks := range map[string][]string{"waiting": b.Waiting, "lost": b.Lost, "never pushed": b.Strange} {
		if len(tasks) > 0 {
			fmt.Fprintf(&s, "\n  %s: %s", name, strings.Join(tasks, ", "))
		}
	}
	return s.String()
}

func orUnexplained(cause string) string {
	if cause == "" {
		return "nothing explains it"
	}
	return cause
}

// finish is one end of one task.
type finish struct {
	pod string
	at  time.Time
}

// doneBy has who has done each task, in order.
func (b *Books) doneBy() map[string][]finish {
	done := map[string][]finish{}
	for pod, w := range b.workers {
		for _, l := range w.lines {
			if l.done {
				done[l.task] = append(done[l.task], finish{pod, l.at})
			}
		}
	}
	for _, finishes := range done {
		slices.SortFunc(finishes, func(x, y finish) int { return x.at.Compare(y.at) })
	}
	return done
}

// Balance counts, as of the last Refresh. held has the tasks that the broker still holds; live has the pods
// that are still at work, whose last task is not finished and not interrupted either.
func (b *Books) Balance(held []string, live func(pod string) bool) Balance {
	b.mu.Lock()
	defer b.mu.Unlock()
	result := Balance{Pushed: len(b.pushed)}
	done := b.doneBy()
	for _, task := range b.order {
		switch finishes := done[task]; {
		case len(finishes) == 1:
			result.DoneOnce++
		case len(finishes) > 1:
			result.Again = append(result.Again, b.repeat(task, finishes))
		case slices.Contains(held, task):
			result.Waiting = append(result.Waiting, task)
		default:
			result.Lost = append(result.Lost, task)
		}
	}
	for task := range done {
		if _, ok := b.pushed[task]; !ok {
			result.Strange = append(result.Strange, task)
		}
	}
	for pod, w := range b.workers {
		killed, interrupted := w.interruptions(pod, live(pod))
		result.Killed = append(result.Killed, killed...)
		result.Interrupted = append(result.Interrupted, interrupted...)
	}
	slices.Sort(result.Strange)
	return result
}

// interruptions are the tasks that were started and not done before the worker started another, or the same
// one again, or ended. They are split by whether a kill in between is the cause.
func (w *worker) interruptions(pod string, live bool) (killed, interrupted []Interruption) {
	for i, l := range w.lines {
		last := i == len(w.lines)-1
		switch {
		case l.done:
			continue
		case last && live && !w.killedAfter(l.at):
			continue // it is doing it
		case !last && w.lines[i+1].done && w.lines[i+1].task == l.task:
			continue
		}
		cut := Interruption{Task: l.task, Pod: pod, At: l.at}
		inTime := func(kill span) bool {
			return !kill.to.Before(l.at) && (last || !kill.from.After(w.lines[i+1].at))
		}
		if slices.ContainsFunc(w.kills, inTime) {
			killed = append(killed, cut)
		} else {
			interrupted = append(interrupted, cut)
		}
	}
	return killed, interrupted
}

func (w *worker) killedAfter(at time.Time) bool {
	return slices.ContainsFunc(w.kills, func(kill span) bool { return !kill.to.Before(at) })
}

// late is how long after its work a worker may still be about to acknowledge it, beside outages of the broker.
const late = time.Second

// repeat finds why a task was done again: a worker was killed between its work and its acknowledgement.
func (b *Books) repeat(task string, finishes []finish) Repeat {
	r := Repeat{Task: task}
	for _, f := range finishes {
		r.Pods = append(r.Pods, f.pod)
	}
	for _, f := range finishes[:len(finishes)-1] {
		acknowledged := f.at.Add(late)
		cause := ""
		for _, o := range b.outages {
			if !f.at.Before(o.from.Add(-late)) && !f.at.After(o.to) {
				acknowledged = o.to.Add(late)
				cause = "the broker was killed before the task was acknowledged"
			}
		}
		for _, kill := range b.workers[f.pod].kills {
			if !kill.to.Before(f.at) && !kill.from.After(acknowledged) {
				cause = "its worker was killed before it acknowledged the task"
			}
		}
		if cause == "" {
			return r
		}
		r.Cause = cause
	}
	return r
}
