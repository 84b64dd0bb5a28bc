package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/quickube/qscaler/local/books"
	"github.com/quickube/qscaler/local/brokers"
	"github.com/quickube/qscaler/worker/contract"
)

// summary is what came of the story, counted from the workers' logs and from the broker.
type summary struct {
	books.Balance
	took time.Duration
	// left counts the grants of scale-downs, leftIdle those whose worker had no task in hand then.
	left, leftIdle int
	// stopped counts the workers that a Deployment would have stopped in the middle of a task, had it scaled down as much.
	stopped int
	// toPod and toStart are the times from a burst's push until its workers were created, and until they
	// started their first tasks.
	toPod, toStart []time.Duration
}

// count reads everything once more, and counts.
func count(ctx context.Context, w *world, tasks brokers.Queue) (summary, error) {
	if err := w.books.Refresh(); err != nil {
		return summary{}, err
	}
	open, err := openTasks(ctx, tasks)
	if err != nil {
		return summary{}, fmt.Errorf("reading which tasks are still there, %w", err)
	}
	s := summary{Balance: w.books.Balance(open, w.isLive), took: time.Since(w.began)}
	w.mu.Lock()
	defer w.mu.Unlock()
	s.stopped = len(w.stopped())
	for name, known := range w.workers {
		if known.reason == contract.ReasonScaleDown {
			s.left++
			if !w.books.BusyAt(name, known.granted) {
				s.leftIdle++
			}
		}
	}
	for _, b := range w.bursts {
		for _, pod := range b.pods {
			s.toPod = append(s.toPod, w.workers[pod].seen.Sub(b.at))
			if at, ok := w.books.FirstStart(pod); ok {
				s.toStart = append(s.toStart, at.Sub(b.at))
			}
		}
	}
	return s, nil
}

// openTasks are the tasks that are still there.
func openTasks(ctx context.Context, tasks brokers.Queue) ([]string, error) {
	payloads, err := tasks.Payloads(ctx)
	if err != nil {
		return nil, err
	}
	open := make([]string, len(payloads))
	for i, payload := range payloads {
		var task struct{ ID string }
		if err := json.Unmarshal([]byte(payload), &task); err != nil {
			return nil, fmt.Errorf("the queue has %q, %w", payload, err)
		}
		open[i] = task.ID
	}
	return open, nil
}

func (s summary) print(out io.Writer) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(out, "  %-24s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(out, "\nThe story took %s. Counted from the workers' logs and from the broker:\n\n", s.took.Round(time.Second))
	row("tasks pushed", "%4d", s.Pushed)
	row("done once", "%4d of %d", s.DoneOnce, s.Pushed)
	row("done twice", "%4d of %d%s", len(s.Again), s.Pushed, causes(s.Again))
	row("lost", "%4d of %d", len(s.Lost)+len(s.Waiting), s.Pushed)
	row("interrupted by scaling", "%4d of %d", len(s.Interrupted), s.Pushed)
	row("cut off by the kill -9", "%4d of %d, and done again", len(s.Killed), s.Pushed)
	row("left on a scale-down", "%4d, and %d of %d had nothing to do when they got the grant", s.left, s.leftIdle, s.left)
	row("a Deployment instead", "%4d of %d would have been stopped in the middle of a task", s.stopped, s.left)
	row("push to worker created", "%s", times(s.toPod))
	row("push to its first task", "%s", times(s.toStart))
	fmt.Fprintln(out)
	if err := s.failure(); err != nil {
		fmt.Fprintf(out, "%s\n", s.Balance)
		return
	}
	fmt.Fprintln(out, "No task was lost, and none was interrupted by scaling.")
}

// failure is an error when a task was lost, not done, interrupted, or not pushed.
func (s summary) failure() error {
	if s.Sound() {
		return nil
	}
	return fmt.Errorf("%d tasks lost, %d not done, %d interrupted by scaling, %d done that nobody pushed; %d done twice",
		len(s.Lost), len(s.Waiting), len(s.Interrupted), len(s.Strange), len(s.Again))
}

func causes(repeats []books.Repeat) string {
	var list []string
	for _, r := range repeats {
		list = append(list, r.Task+": "+r.Cause)
	}
	if len(list) == 0 {
		return ""
	}
	return "  " + strings.Join(list, "; ")
}

func times(list []time.Duration) string {
	if len(list) == 0 {
		return "none"
	}
	slices.Sort(list)
	return fmt.Sprintf("p50 %s, max %s (%d workers)", milli(list[len(list)/2]), milli(list[len(list)-1]), len(list))
}

func milli(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
