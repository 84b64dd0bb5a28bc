package backlog_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

// redeliveringDriver is a fakeDriver that tells when messages are delivered again.
type redeliveringDriver struct{ *fakeDriver }

func (d redeliveringDriver) Redeliveries(_ context.Context, queries []broker.Query) ([]broker.Redelivery, error) {
	names := make([]string, len(queries))
	for i, q := range queries {
		names[i] = q.Queue + "/" + q.Group
	}
	d.mu.Lock()
	d.redeliveriesAsked = append(d.redeliveriesAsked, names)
	redelivers := d.redelivers
	d.mu.Unlock()
	return redelivers(queries)
}

// asked has the questions since the last call.
func (f *fakeBroker) askedForRedeliveries() [][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	asked := slices.Clone(f.redeliveriesAsked)
	f.redeliveriesAsked = nil
	return asked
}

func after(d time.Duration) broker.Redelivery {
	return broker.Redelivery{Known: true, After: d, Setting: "the limit"}
}

// always tells the same of each queue.
func always(r broker.Redelivery) func([]broker.Query) ([]broker.Redelivery, error) {
	return func(queries []broker.Query) ([]broker.Redelivery, error) {
		return slices.Repeat([]broker.Redelivery{r}, len(queries)), nil
	}
}

// The limits of queues are asked for soon after a queue was read first, and every minute. Who watches a queue of which
// something new was told is woken, and nobody else. What is known stays where the broker gives no answer.
func TestRedeliveriesAreAskedForNowAndThen(t *testing.T) {
	inBubble(t, backlog.Options{Jitter: exactly}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		x.redelivers = always(after(time.Second))
		x.refuses = map[string]error{"unread": errDown}
		grouped := watchOf("x", "q")
		grouped.Query.Group = "g"
		b.Watch("w", watchOf("x", "q"))
		b.Watch("grouped", grouped)
		b.Watch("unread", watchOf("x", "unread"))
		b.Keep("health", watchOf("x", "q").Source, false)
		of := func(name string) broker.Redelivery {
			t.Helper()
			return b.Redelivery(keyOf(name))
		}
		expect := func(what string, asked [][]string, w broker.Redelivery, woken ...string) {
			t.Helper()
			settle()
			if diff := cmp.Diff(asked, x.askedForRedeliveries()); diff != "" {
				t.Errorf("%s: asked (-want +got):\n%s", what, diff)
			}
			if diff := cmp.Diff(w, of("w")); diff != "" {
				t.Errorf("%s: known (-want +got):\n%s", what, diff)
			}
			for _, name := range []string{"w", "grouped", "unread", "health", "late"} {
				want := 0
				if slices.Contains(woken, name) {
					want = 1
				}
				if got := b.wokenFor(name); got != want {
					t.Errorf("%s: %s was woken %d times, want %d", what, name, got, want)
				}
			}
			b.forgetWakes()
		}
		wait(4 * time.Second)
		b.forgetWakes()
		expect("at first", nil, broker.Redelivery{})
		wait(2 * time.Second)
		expect("soon", [][]string{{"q/", "q/g"}}, after(time.Second), "w", "grouped")
		if got := of("unread"); got.Known {
			t.Errorf("of a queue that cannot be read, %+v is known", got)
		}
		wait(50 * time.Second)
		expect("for a minute", nil, after(time.Second))
		x.set(func() { x.redelivers = always(after(time.Hour)) })
		wait(10 * time.Second)
		expect("after a minute", [][]string{{"q/", "q/g"}}, after(time.Hour), "w", "grouped")
		b.Watch("late", watchOf("x", "late"))
		settle()
		b.forgetWakes()
		wait(6 * time.Second)
		expect("a queue that is new", [][]string{{"late/"}}, after(time.Hour), "late")
		b.Forget("late")
		for what, fails := range map[string]func([]broker.Query) ([]broker.Redelivery, error){
			"an error":     func([]broker.Query) ([]broker.Redelivery, error) { return nil, errors.New("no") },
			"a mistake":    func([]broker.Query) ([]broker.Redelivery, error) { panic("a mistake") },
			"too few":      func([]broker.Query) ([]broker.Redelivery, error) { return []broker.Redelivery{after(0)}, nil },
			"nothing told": always(broker.Redelivery{After: time.Second}),
		} {
			x.set(func() { x.redelivers = fails })
			wait(time.Minute)
			expect(what, [][]string{{"q/", "q/g"}}, after(time.Hour))
		}
		x.set(func() {
			x.redelivers = always(broker.Redelivery{Known: true, Setting: "ack\x1b", Unless: "it\x1b says"})
		})
		wait(time.Minute)
		expect("words", [][]string{{"q/", "q/g"}}, broker.Redelivery{Known: true, Setting: "ack", Unless: "it says"}, "w", "grouped")
	})
}

// Where the broker has no limits, that is known as soon as it was read.
func TestABrokerWithoutRedelivery(t *testing.T) {
	inBubble(t, backlog.Options{}, func(t *testing.T, b *bubble) {
		if got := b.Redelivery(keyOf("w")); got.Known {
			t.Errorf("of what nobody watches, %+v is known", got)
		}
		b.brokers["x"].refuses = map[string]error{"unread": errDown}
		b.Watch("w", watchOf("x", "q"))
		b.Watch("unread", watchOf("x", "unread"))
		wait(time.Second)
		if got := b.Redelivery(keyOf("w")); got != (broker.Redelivery{Known: true}) {
			t.Errorf("%+v, want to know that it has none", got)
		}
		if got := b.Redelivery(keyOf("unread")); got.Known {
			t.Errorf("of a queue that was not read, %+v is known", got)
		}
	})
}
