package backlog_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

// work is what a source did: the waits that it began, and the pauses of which it asked the jitter.
type work struct{ waits, draws, reads int64 }

type countingClock struct {
	clock.RealClock
	timers *atomic.Int64
}

func (c countingClock) NewTimer(d time.Duration) clock.Timer {
	c.timers.Add(1)
	return c.RealClock.NewTimer(d)
}

// Each thing that happens costs one round of a source, which waits twice: for others to go first, and after the read.
func TestWhatARoundCosts(t *testing.T) {
	cases := map[string]struct {
		cadence broker.Cadence
		polled  bool
		change  func(b *bubble)
		lasts   time.Duration
		want    work
	}{
		"nothing happens":                           {lasts: 4 * time.Second, want: work{}},
		"a queue rings":                             {change: func(b *bubble) { b.brokers["x"].push("q1", 1) }, lasts: time.Second, want: work{waits: 2, reads: 1}},
		"all queues ring":                           {change: func(b *bubble) { b.brokers["x"].ringAll() }, lasts: time.Second, want: work{waits: 2, reads: 1}},
		"a queue rings that nobody watches":         {change: func(b *bubble) { b.brokers["x"].push("other", 1) }, lasts: time.Second, want: work{}},
		"many queues ring":                          {change: pushes, lasts: time.Second, want: work{waits: 2, reads: 1}},
		"the same is watched once more":             {change: func(b *bubble) { b.Watch("1", watchOf("x", "q1", "p1", "p2")) }, lasts: time.Second, want: work{}},
		"the same workers in another order":         {change: func(b *bubble) { b.Watch("1", watchOf("x", "q1", "p2", "p1")) }, lasts: time.Second, want: work{}},
		"a worker more":                             {change: func(b *bubble) { b.Watch("1", watchOf("x", "q1", "p1", "p2", "p3")) }, lasts: time.Second, want: work{waits: 2, reads: 1}},
		"a worker less":                             {change: func(b *bubble) { b.Watch("1", watchOf("x", "q1", "p2")) }, lasts: time.Second, want: work{waits: 2, reads: 1}},
		"another worker":                            {change: func(b *bubble) { b.Watch("1", watchOf("x", "q1", "p1", "p3")) }, lasts: time.Second, want: work{waits: 2, reads: 1}},
		"another queue":                             {change: func(b *bubble) { b.Watch("1", watchOf("x", "q9", "p1", "p2")) }, lasts: time.Second, want: work{waits: 2, reads: 1}},
		"a watch less":                              {change: func(b *bubble) { b.Forget("1") }, lasts: time.Second, want: work{}},
		"one that is forgotten has rung before":     {change: func(b *bubble) { b.brokers["x"].push("q1", 1); b.Forget("1") }, lasts: time.Second, want: work{waits: 2}},
		"an hour of safety polls":                   {lasts: time.Hour, want: work{waits: 2*720 + 60, draws: 720 + 60, reads: 720}},
		"a minute of polls":                         {polled: true, lasts: time.Minute, want: work{waits: 2*60 + 1, draws: 60 + 1, reads: 60}},
		"a minute of polls, as often at zero":       {cadence: broker.Cadence{PollAtZero: time.Second}, polled: true, lasts: time.Minute, want: work{waits: 2*60 + 1, draws: 60 + 1, reads: 60}},
		"a minute of polls, more often at zero":     {cadence: broker.Cadence{PollAtZero: 400 * ms}, polled: true, lasts: time.Minute, want: work{waits: 2*180 + 1, draws: 60 + 180 + 1, reads: 180}},
		"a minute of polls, less often at zero":     {cadence: broker.Cadence{PollAtZero: 7 * time.Second}, polled: true, lasts: time.Minute, want: work{waits: 2*60 + 1, draws: 60 + 1, reads: 60}},
		"safety polls, where it would poll at zero": {cadence: broker.Cadence{PollAtZero: 400 * ms}, lasts: time.Minute, want: work{waits: 2*12 + 1, draws: 12 + 1, reads: 12}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var timers, draws atomic.Int64
			o := backlog.Options{Clock: countingClock{timers: &timers}, Jitter: func(d time.Duration) time.Duration {
				draws.Add(1)
				return d
			}}
			inBubble(t, o, func(t *testing.T, b *bubble) {
				x := b.brokers["x"]
				x.polled, b.cadence = c.polled, c.cadence
				for i := range 5 {
					b.Watch(fmt.Sprint(i), watchOf("x", fmt.Sprint("q", i), "p1", "p2"))
				}
				b.Watch("idle", watchOf("x", "idle"))
				b.Keep("health", sourceAt("x"), true)
				wait(time.Millisecond)
				// The first poll, its two waits, one until the credentials are looked up, one until the claim is renewed, and
				// one until the broker's settings are asked for again.
				start := work{waits: 6, draws: 4, reads: 1}
				beside := int64(c.lasts/broker.ClaimRenewal) + int64(c.lasts/(5*time.Minute))
				c.want.waits, c.want.draws = c.want.waits+beside, c.want.draws+beside
				if c.polled && c.cadence.PollAtZero == 400*ms {
					start.draws++
				}
				wait(50 * ms)
				got := work{waits: timers.Swap(0), draws: draws.Swap(0), reads: int64(len(x.reads))}
				if diff := cmp.Diff(start, got, cmp.AllowUnexported(work{})); diff != "" {
					t.Errorf("at the start (-want +got):\n%s", diff)
				}
				x.set(func() { x.reads = nil })
				if c.change != nil {
					c.change(b)
				}
				wait(c.lasts)
				got = work{waits: timers.Load(), draws: draws.Load(), reads: int64(len(x.reads))}
				if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(work{})); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

func pushes(b *bubble) {
	for i := range 5 {
		b.brokers["x"].push(fmt.Sprint("q", i), 1)
	}
}
