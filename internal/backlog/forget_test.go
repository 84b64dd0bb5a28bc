package backlog_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

// Which queues a ring has read, after the watches have changed.
func TestWhatARingReads(t *testing.T) {
	cases := map[string]struct {
		change func(b *bubble)
		ring   string
		want   [][]string
	}{
		"both watches of one queue":                 {func(*bubble) {}, "q", [][]string{{"q", "q"}}},
		"the one that is left":                      {func(b *bubble) { b.Forget("b") }, "q", [][]string{{"q"}}},
		"none where both are forgotten":             {func(b *bubble) { b.Forget("a"); b.Forget("b") }, "q", nil},
		"one that is forgotten twice":               {func(b *bubble) { b.Forget("b"); b.Forget("b") }, "q", [][]string{{"q"}}},
		"the new queue of a watch":                  {func(b *bubble) { b.Watch("b", watchOf("x", "r")) }, "r", [][]string{{"r"}}},
		"not its old one":                           {func(b *bubble) { b.Watch("b", watchOf("x", "r")) }, "q", [][]string{{"q"}}},
		"nothing of a queue that nobody has now":    {func(b *bubble) { b.Watch("c", watchOf("x", "r")) }, "s", nil},
		"nothing at this broker of one elsewhere":   {func(b *bubble) { b.Watch("b", watchOf("y", "q")) }, "q", [][]string{{"q"}}},
		"one that was forgotten and came back":      {func(b *bubble) { b.Forget("b"); b.Watch("b", watchOf("x", "q")) }, "q", [][]string{{"q", "q"}}},
		"what only looks at the health is no queue": {func(b *bubble) { b.Keep("b", sourceAt("x"), true) }, "q", [][]string{{"q"}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, backlog.Options{SafetyInterval: time.Hour}, func(t *testing.T, b *bubble) {
				x := b.brokers["x"]
				for key, queue := range map[string]string{"a": "q", "b": "q", "c": "s", "stays": "other"} {
					b.Watch(key, watchOf("x", queue))
				}
				wait(time.Second)
				c.change(b)
				wait(time.Second)
				x.set(func() { x.reads = nil })
				x.push(c.ring, 1)
				wait(time.Second)
				if diff := cmp.Diff(c.want, x.reads); diff != "" {
					t.Errorf("queues in each read (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Nobody waits for what is forgotten, whether it is about to be read, or is being read.
func TestWhoWaitsForWhatIsForgotten(t *testing.T) {
	for name, taken := range map[string]bool{"it is about to be read": false, "it is being read": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, backlog.Options{SafetyInterval: time.Hour}, func(t *testing.T, b *bubble) {
				x := b.brokers["x"]
				x.push("q", 3)
				b.Watch("a", watchOf("x", "q"))
				b.Watch("stays", watchOf("x", "r"))
				wait(time.Second)
				x.set(func() {
					x.before = func([]broker.Query) {
						if !taken {
							<-time.After(time.Second) // what is marked meanwhile waits for its turn
						}
						b.Forget("a")
					}
				})
				if !taken {
					x.push("r", 1)
					settle()
				}
				began := time.Now()
				r := b.Read(t.Context(), "a")
				if r.Err == nil || r.Depth.Waiting != broker.CountOf(3) || time.Since(began) > time.Second {
					t.Errorf("after %s: %+v, want an error beside the last good depth", time.Since(began), r)
				}
				x.set(func() { x.before = nil })
				if r := b.Read(t.Context(), "stays"); r.Err != nil {
					t.Errorf("the other: %v", r.Err)
				}
			})
		})
	}
}

// The kinds and the names of two brokers do not mix, nor do two watches under the same key.
func TestTwoBrokers(t *testing.T) {
	inBubble(t, backlog.Options{SafetyInterval: time.Hour}, func(t *testing.T, b *bubble) {
		x, y := b.brokers["x"], b.brokers["y"]
		x.push("q", 1)
		y.push("q", 2)
		b.Watch("a", watchOf("x", "q"))
		b.Watch("b", watchOf("y", "q"))
		wait(time.Second)
		y.set(func() { y.down = errDown })
		y.ringAll()
		wait(time.Second)
		if a, b := b.Last("a"), b.Last("b"); a.Err != nil || a.Depth.Waiting != broker.CountOf(1) || b.Err == nil || b.Depth.Waiting != broker.CountOf(2) {
			t.Errorf("the readings are %+v and %+v", a, b)
		}
		if x, y := b.Health("x"), b.Health("y"); x.Err != nil || y.Err == nil {
			t.Errorf("the health is %+v and %+v", x, y)
		}
		b.Forget("b")
		if h := b.Health("y"); h.Known {
			t.Errorf("of a broker that is forgotten: %+v", h)
		}
		y.set(func() { y.down, y.opens = nil, y.closes })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		b.Watch("b", watchOf("y", "q"))
		if r := b.Read(ctx, "b"); r.Err != nil || r.Depth.Waiting != broker.CountOf(2) {
			t.Errorf("a new connection, at once: %+v", r)
		}
	})
}
