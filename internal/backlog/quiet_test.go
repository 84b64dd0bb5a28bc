package backlog_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

// quietly is a cadence by which a queue is read every 250 ms for ten seconds, and then every 2 s.
func quietly(budget int) broker.Cadence {
	return broker.Cadence{
		Poll: time.Second, PollAtZero: 250 * time.Millisecond, QuietBudget: budget,
		Quiet: func(since time.Duration) time.Duration {
			if since < 10*time.Second {
				return 250 * time.Millisecond
			}
			return 2 * time.Second
		},
	}
}

// reads counts how often each queue is read in a while.
func reads(b *bubble, d time.Duration) map[string]int {
	x := b.brokers["x"]
	x.set(func() { x.reads = nil })
	wait(d)
	counts := map[string]int{}
	x.set(func() {
		for _, batch := range x.reads {
			for _, queue := range batch {
				counts[queue]++
			}
		}
	})
	return counts
}

// A queue is quiet while it has neither a worker nor a message. The longer it is quiet, the more seldom it is read.
func TestAQuietQueueIsReadMoreSeldom(t *testing.T) {
	inBubble(t, backlog.Options{Jitter: exactly}, func(t *testing.T, b *bubble) {
		b.cadence = quietly(0)
		x := b.brokers["x"]
		x.polled = true
		x.push("waiting", 1)
		b.Watch("quiet", watchOf("x", "quiet"))
		b.Watch("waiting", watchOf("x", "waiting"))
		b.Watch("busy", watchOf("x", "busy", "w"))
		wait(time.Millisecond)
		between := func(when string, queue string, got, least, most int) {
			if got < least || got > most {
				t.Errorf("%s, %s was read %d times, want %d to %d", when, queue, got, least, most)
			}
		}
		first := reads(b, 8*time.Second)
		between("at first", "quiet", first["quiet"], 30, 33)
		wait(4 * time.Second)
		later := reads(b, 20*time.Second)
		between("later", "quiet", later["quiet"], 9, 12)
		between("later", "waiting", later["waiting"], 78, 81)
		between("later", "busy", later["busy"], 19, 21)
		x.push("quiet", 1)
		wait(3 * time.Second)
		between("with a message", "quiet", reads(b, 8*time.Second)["quiet"], 30, 33)
	})
}

// Where more queues are quiet than may be read, each has its turn.
func TestQuietQueuesShareTheirBudget(t *testing.T) {
	inBubble(t, backlog.Options{Jitter: exactly}, func(t *testing.T, b *bubble) {
		b.cadence = quietly(8) // two each 250 ms
		b.brokers["x"].polled = true
		const queues = 40
		for i := range queues {
			b.Watch(fmt.Sprint(i), watchOf("x", fmt.Sprint("q", i)))
		}
		wait(30 * time.Second)
		counts, total := reads(b, 20*time.Second), 0
		for i := range queues {
			n := counts[fmt.Sprint("q", i)]
			if total += n; n < 3 || n > 5 {
				t.Errorf("queue %d was read %d times in 20 s, want 4", i, n)
			}
		}
		if total > 20*8+4 {
			t.Errorf("%d reads in 20 s exceed the budget of 8 a second", total)
		}
	})
}
