package backlog_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

// exactly is a jitter that changes nothing.
func exactly(d time.Duration) time.Duration { return d }

// A queue without workers waits for its first one: it is read more often where its kind says so.
func TestTheKindSaysHowOftenItIsRead(t *testing.T) {
	atZero := broker.Cadence{Poll: time.Second, PollAtZero: 250 * time.Millisecond, Safety: 10 * time.Second}
	cases := map[string]struct {
		cadence    broker.Cadence
		options    backlog.Options
		pushes     bool
		idle, busy int // reads in a minute of a queue without and with a worker
	}{
		"one that is polled":                  {broker.Cadence{Poll: 2 * time.Second}, backlog.Options{}, false, 30, 30},
		"more often at zero":                  {atZero, backlog.Options{}, false, 240, 60},
		"not where it pushes":                 {atZero, backlog.Options{}, true, 6, 6},
		"where it pushes at zero only":        {broker.Cadence{Poll: time.Second, PollBusy: 2 * time.Second, Safety: 10 * time.Second}, backlog.Options{}, true, 6, 30},
		"as the options say, at zero as well": {atZero, backlog.Options{PollInterval: 3 * time.Second}, false, 20, 20},
		"by default every second":             {broker.Cadence{}, backlog.Options{}, false, 60, 60},
		"and every 5 s where it pushes":       {broker.Cadence{}, backlog.Options{}, true, 12, 12},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.options.Jitter = exactly
			inBubble(t, c.options, func(t *testing.T, b *bubble) {
				b.cadence = c.cadence
				x := b.brokers["x"]
				x.polled = !c.pushes
				b.Watch("idle", watchOf("x", "idle"))
				b.Watch("busy", watchOf("x", "busy", "w"))
				wait(time.Millisecond)
				x.set(func() { x.reads = nil })
				wait(time.Minute)
				reads := map[string]int{}
				for _, batch := range x.reads {
					for _, queue := range batch {
						reads[queue]++
					}
				}
				// A read that takes no time begins a moment after it was due.
				const late = 2
				for queue, want := range map[string]int{"idle": c.idle, "busy": c.busy} {
					if got := reads[queue]; got > want || got < want-late {
						t.Errorf("%s was read %d times in a minute, want %d", queue, got, want)
					}
				}
			})
		})
	}
}

func TestTheKindSaysHowMuchIsReadAtATime(t *testing.T) {
	cases := map[string]struct {
		cadence broker.Cadence
		queues  int
		want    []int // queues in each call
	}{
		"exactly the budget":              {broker.Cadence{Budget: 6}, 6, []int{6}},
		"one over it":                     {broker.Cadence{Budget: 5}, 6, []int{5, 1}},
		"exactly the budget by a cost":    {broker.Cadence{Budget: 6, Cost: func(broker.Query) int { return 2 }}, 6, []int{3, 3}},
		"over it by a cost":               {broker.Cadence{Budget: 5, Cost: func(broker.Query) int { return 2 }}, 6, []int{2, 2, 2}},
		"a query that exceeds it is read": {broker.Cadence{Budget: 1, Cost: func(broker.Query) int { return 9 }}, 3, []int{1, 1, 1}},
		"by default a thousand":           {broker.Cadence{}, 1000, []int{1000}},
		"by default one over a thousand":  {broker.Cadence{}, 1001, []int{1000, 1}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, backlog.Options{PollInterval: time.Hour, SafetyInterval: time.Hour}, func(t *testing.T, b *bubble) {
				b.cadence = c.cadence
				x := b.brokers["x"]
				for i := range c.queues {
					b.Watch(fmt.Sprint(i), watchOf("x", fmt.Sprint(i)))
				}
				wait(time.Second)
				x.set(func() { x.reads = nil })
				x.ringAll()
				wait(time.Second)
				var got []int
				for _, batch := range x.reads {
					got = append(got, len(batch))
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("queues in each read (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// What a broker did not say is not zero.
func TestAnAnswerWithoutItsCountIsAFailure(t *testing.T) {
	inBubble(t, backlog.Options{}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		x.push("q", 3)
		b.Watch("a", watchOf("x", "q"))
		wait(time.Second)
		x.set(func() { x.mute = true })
		r := b.Read(t.Context(), "a")
		if r.Err == nil || r.Depth.Waiting != broker.CountOf(3) {
			t.Errorf("the reading is %+v, want an error beside the last good depth", r)
		}
		x.set(func() { x.mute = false })
		if r := b.Read(t.Context(), "a"); r.Err != nil {
			t.Errorf("afterwards: %v", r.Err)
		}
	})
}
