package backlog_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

// While workers come faster than the broker answers, no answer counts what all of them hold. None of these is taken for a
// depth, and nobody waits for one for ever.
func TestWorkersThatComeFasterThanTheBrokerAnswers(t *testing.T) {
	const (
		read, apart = 400 * time.Millisecond, 300 * time.Millisecond
		timeout     = 5 * time.Second
	)
	cases := map[string]struct {
		workers int
		fails   bool
	}{
		"for some seconds": {15, false}, // the read that begins within them ends within the time of one
		"for a minute":     {200, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, backlog.Options{SafetyInterval: time.Hour}, func(t *testing.T, b *bubble) {
				x := b.brokers["x"]
				x.push("q", 3)
				b.Watch("a", watchOf("x", "q", "w0"))
				wait(time.Second)
				before := b.Last("a")
				x.set(func() { x.reads, x.before = nil, func([]broker.Query) { <-time.After(read) } })
				b.forgetWakes()
				request := b.Request("a")
				wait(apart / 2)
				for i := range c.workers {
					b.Watch("a", watchOf("x", "q", fmt.Sprint("w", i), fmt.Sprint("w", i+1)))
					wait(apart)
					if last := b.Last("a"); last.ReadAt != before.ReadAt || last.Depth.Waiting != before.Depth.Waiting {
						t.Fatalf("with %d workers more: %+v, want what was read before", i+1, last)
					}
				}
				lasted := apart/2 + time.Duration(c.workers)*apart
				if _, _, reads := x.counts(); reads > int(lasted/(read+100*time.Millisecond))+1 {
					t.Errorf("%d reads in %s", reads, lasted)
				}
				if got := b.Last("a").Err; (got != nil) != c.fails || (c.fails && !strings.Contains(got.Error(), "faster than the broker answers")) {
					t.Errorf("the reading says %v", got)
				}
				if c.fails {
					since := b.Last("a").ErrSince.Sub(before.ReadAt) - time.Second
					if since < timeout || since > timeout+2*(read+100*time.Millisecond) || len(request) != 1 || b.wokenFor("a") != 1 {
						t.Errorf("it fails after %s, with %d answers and %d wakes; want %s, and one of each", since, len(request), b.wokenFor("a"), timeout)
					}
					again := b.Request("a")
					for i := range 3 {
						b.Watch("a", watchOf("x", "q", fmt.Sprint("other", i)))
						wait(apart)
					}
					if len(again) != 1 || (<-again).Err == nil {
						t.Error("who requests another meanwhile is not told that it fails")
					}
				}
				wait(timeout) // nobody comes any more
				if last := b.Last("a"); last.Err != nil || !last.ReadAt.After(before.ReadAt) || len(request) != 1 {
					t.Errorf("when nobody comes any more: %+v, and %d answers", last, len(request))
				}
			})
		})
	}
}

// One stretch of such reads does not count for the next.
func TestAReadingBetweenWorkersThatComeFast(t *testing.T) {
	inBubble(t, backlog.Options{SafetyInterval: time.Hour}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		b.Watch("a", watchOf("x", "q", "w"))
		wait(time.Second)
		x.set(func() { x.before = func([]broker.Query) { <-time.After(400 * time.Millisecond) } })
		for i := range 60 {
			b.Watch("a", watchOf("x", "q", fmt.Sprint("w", i), fmt.Sprint("w", i+1)))
			if wait(300 * time.Millisecond); i%10 == 9 {
				wait(2 * time.Second)
			}
			if err := b.Last("a").Err; err != nil {
				t.Fatalf("after %d workers: %v", i+1, err)
			}
		}
	})
}
