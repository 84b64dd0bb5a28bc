package backlog_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

// Each way in which a broker does not say who holds messages, or does not return them.
func TestThatHoldersAreNotKnown(t *testing.T) {
	refused := errors.New("NOPERM")
	cases := map[string]struct {
		change  func(x *fakeBroker)
		holders []broker.Holder
		err     error
	}{
		"the broker says it":    {func(x *fakeBroker) { x.holders = []broker.Holder{{Worker: "a"}} }, []broker.Holder{{Worker: "a"}}, nil},
		"the broker refuses":    {func(x *fakeBroker) { x.refused = refused }, nil, refused},
		"the broker never says": {func(x *fakeBroker) { x.hang = true }, nil, context.Canceled}, // the connection ends with a read's deadline
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, backlog.Options{}, func(t *testing.T, b *bubble) {
				b.Watch("w", watchOf("x", "q"))
				wait(time.Second)
				b.brokers["x"].set(func() { c.change(b.brokers["x"]) })
				began := time.Now()
				holders, err := b.Holders(t.Context(), "x")
				if diff := cmp.Diff(c.holders, holders); diff != "" || !errors.Is(err, c.err) {
					t.Errorf("%v, want %v; holders (-want +got):\n%s", err, c.err, diff)
				}
				moved, err := b.Reclaim(t.Context(), "w", "a")
				if c.err == nil && (moved != 1 || err != nil) || c.err != nil && err == nil {
					t.Errorf("%d returned, %v; want %v", moved, err, c.err)
				}
				if took := time.Since(began); took > time.Minute {
					t.Errorf("that took %s", took)
				}
			})
		})
	}
}

// Nobody is asked where there is no connection, or nothing is watched.
func TestHoldersWithoutAConnection(t *testing.T) {
	inBubble(t, backlog.Options{}, func(t *testing.T, b *bubble) {
		b.brokers["x"].down = errDown
		b.Watch("w", watchOf("x", "q"))
		wait(time.Second)
		for _, id := range []string{"x", "never watched"} {
			if holders, err := b.Holders(t.Context(), id); err == nil || holders != nil {
				t.Errorf("holders of %s: %v, %v", id, holders, err)
			}
		}
		for _, key := range []string{"w", "never watched"} {
			if held, err := b.Held(t.Context(), keyOf(key), []string{"a"}); err == nil || held != nil {
				t.Errorf("held by %s: %v, %v", key, held, err)
			}
			if moved, err := b.Reclaim(t.Context(), key, "a"); err == nil || moved != 0 {
				t.Errorf("returned by %s: %d, %v", key, moved, err)
			}
		}
	})
}

func TestABrokerThatKeepsNoMessagesByWorker(t *testing.T) {
	inBubble(t, backlog.Options{}, func(t *testing.T, b *bubble) {
		b.brokers["x"].silent = true
		b.Watch("w", watchOf("x", "q"))
		wait(time.Second)
		_, err := b.Holders(t.Context(), "x")
		_, again := b.Reclaim(t.Context(), "w", "a")
		_, counting := b.Held(t.Context(), keyOf("w"), nil)
		if h := b.Health("x"); h.Claim.Known {
			t.Errorf("a claim of nothing: %+v", h.Claim)
		}
		if h := b.Health("x"); h.Pushes || h.Why != "brokers of this type do not tell of changes by themselves" {
			t.Errorf("the health is %+v", h)
		}
		for _, err := range []error{err, again, counting} {
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%v, want %v", err, errors.ErrUnsupported)
			}
		}
	})
}

// A queue is read again when its messages may have come back, and only then. Without a poll to help: our own writes are
// not pushed to us.
func TestWhatIsReadAfterAReclaim(t *testing.T) {
	cases := map[string]struct {
		moved  int64
		err    error
		forget bool
		want   [][]string
	}{
		"messages came back":                  {1, nil, false, [][]string{{"q"}}},
		"none did":                            {0, nil, false, nil},
		"nobody knows":                        {0, errDown, false, [][]string{{"q"}}},
		"they came back, and it is forgotten": {1, nil, true, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, backlog.Options{SafetyInterval: time.Hour}, func(t *testing.T, b *bubble) {
				x := b.brokers["x"]
				b.Watch("w", watchOf("x", "q"))
				b.Watch("other", watchOf("x", "r"))
				wait(time.Second)
				x.set(func() {
					x.reads, x.moved, x.refused = nil, c.moved, c.err
					if c.forget {
						x.walked = func() { b.Forget("w") }
					}
				})
				moved, err := b.Reclaim(t.Context(), "w", "a")
				if moved != c.moved || !errors.Is(err, c.err) {
					t.Errorf("%d returned, %v; want %d, %v", moved, err, c.moved, c.err)
				}
				wait(time.Second)
				if diff := cmp.Diff(c.want, x.reads); diff != "" {
					t.Errorf("read then (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff([]string{"a of q"}, x.reclaimed); diff != "" {
					t.Errorf("reclaimed (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A reclaim and a claim that hang end with the time of a read, or with the connection, a search and a count with the
// connection alone.
func TestWhenWhatHangsEnds(t *testing.T) {
	for name, c := range map[string]struct{ breaks, reclaim, search time.Duration }{
		"the connection breaks before": {time.Second, time.Second, time.Second},
		"the connection breaks later":  {9 * time.Second, 5 * time.Second, 9 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, backlog.Options{SafetyInterval: time.Hour}, func(t *testing.T, b *bubble) {
				x := b.brokers["x"]
				x.claimed = "the one before"
				b.Watch("w", watchOf("x", "q"))
				wait(time.Second)
				x.set(func() { x.stuck = true })
				began := time.Now()
				var group sync.WaitGroup
				for what, hangs := range map[string]struct {
					call func() error
					ends time.Duration
				}{
					"the reclaim": {func() error { _, err := b.Reclaim(t.Context(), "w", "a"); return err }, c.reclaim},
					"the claim":   {func() error { return b.Claim(t.Context(), "x") }, c.reclaim},
					"the search":  {func() error { _, err := b.Holders(t.Context(), "x"); return err }, c.search},
					"the count":   {func() error { _, err := b.Held(t.Context(), keyOf("w"), []string{"a"}); return err }, c.search},
				} {
					group.Go(func() {
						err := hangs.call()
						if took := time.Since(began); took != hangs.ends || err == nil {
							t.Errorf("%s ended after %s with %v, want %s", what, took, err, hangs.ends)
						}
					})
				}
				wait(c.breaks)
				x.set(func() { x.down = errDown })
				x.ringAll()
				group.Wait()
				settle()
				for range 2 { // for as long as there is no other connection
					_, search := b.Holders(t.Context(), "x")
					_, reclaim := b.Reclaim(t.Context(), "w", "a")
					for _, err := range []error{search, reclaim} {
						if err == nil || err.Error() != "the broker is not connected" {
							t.Errorf("without a connection: %v", err)
						}
					}
					wait(time.Second)
				}
				x.set(func() { x.down, x.stuck, x.claimed, x.opens = nil, false, "", x.closes })
				wait(6 * time.Second)
				if moved, err := b.Reclaim(t.Context(), "w", "a"); moved != 1 || err != nil {
					t.Errorf("over the next connection: %d, %v", moved, err)
				}
			})
		})
	}
}
