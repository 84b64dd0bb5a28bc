package backlog_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/redis"
)

// wild is a broker whose driver fails in one call, and answers the others.
type wild struct {
	call string
	fail func() error
}

func (w wild) in(call string) error {
	if call == w.call {
		return w.fail()
	}
	return nil
}

func (w wild) open(context.Context, broker.Config, broker.Doorbell) (broker.Driver, error) {
	return w, w.in("open")
}

func (w wild) Depths(_ context.Context, queries []broker.Query) ([]broker.Answer, error) {
	answers := make([]broker.Answer, len(queries))
	for i := range answers {
		answers[i] = broker.Answer{Depth: broker.Depth{Waiting: broker.CountOf(1)}, Err: w.in("one queue")}
	}
	return answers, w.in("depths")
}

func (w wild) Claim(_ context.Context, c broker.Claim, _ bool) (broker.Claimant, error) {
	return broker.Claimant{Process: c.Process, Mark: c.Mark}, w.in("claim")
}

func (w wild) Reclaim(context.Context, broker.Claim, string, string) (int64, error) {
	return 0, w.in("reclaim")
}

func (w wild) Held(context.Context, string, []string) ([]int64, error) { return nil, w.in("held") }
func (w wild) Holders(context.Context) ([]broker.Holder, error)        { return nil, w.in("holders") }
func (wild) Close()                                                    {}

// What a driver makes of what a broker sends is no matter of other brokers, nor of the process: a panic in any call is an
// error of that call, and what an error says can be shown.
func TestWhateverADriverDoesIsAnErrorOfItsBroker(t *testing.T) {
	const panicked = "the driver panicked, which is a mistake in QScaler; please report it: index out of range"
	hostile := errors.New("\x1b[2Jno\u202e")
	read := func(b *bubble) error { return b.Last("a").Err }
	calls := map[string]func(*bubble) error{
		"open": read, "depths": read, "one queue": read,
		"claim": func(b *bubble) error {
			err := b.Claim(context.Background(), "wild")
			if shown := b.Health("wild").Claim.Err; err != nil && !errors.Is(shown, errors.Unwrap(err)) {
				return errors.New("the health does not show it")
			}
			return err
		},
		"reclaim": func(b *bubble) error { _, err := b.Reclaim(context.Background(), "a", "w"); return err },
		"held":    func(b *bubble) error { _, err := b.Held(context.Background(), keyOf("a"), nil); return err },
		"holders": func(b *bubble) error { _, err := b.Holders(context.Background(), "wild"); return err },
	}
	for call, errOf := range calls {
		around := ""
		if call == "claim" {
			around = "making sure that no other operator returns the same tasks, "
		}
		for name, c := range map[string]struct {
			fail func() error
			want string
		}{
			"panics":             {func() error { panic("index out of range") }, around + panicked},
			"obeys the terminal": {func() error { return hostile }, around + "[2Jno"},
			"is as usual":        {func() error { return nil }, ""},
		} {
			if call == "one queue" && name == "panics" {
				continue // the whole call does
			}
			t.Run(call+" "+name, func(t *testing.T) {
				inBubble(t, backlog.Options{}, func(t *testing.T, b *bubble) {
					b.byName.Watch("a", backlog.Watch{Reclaims: true, Query: broker.Query{Queue: "q"}, Source: backlog.Source{
						ID: "wild", Kind: broker.Kind{Open: wild{call, c.fail}.open}, Claim: claimed,
						Resolve: func(context.Context) (broker.Config, error) { return redis.Config{}, nil },
					}})
					b.Watch("b", watchOf("x", "q"))
					wait(time.Second)
					got := ""
					if err := errOf(b); err != nil {
						got = err.Error()
					}
					if diff := cmp.Diff(c.want, got); diff != "" {
						t.Errorf("the error (-want +got):\n%s", diff)
					}
					if r := b.Last("b"); !r.Known || r.Err != nil {
						t.Errorf("the other broker's reading is %+v", r)
					}
				})
			})
		}
	}
}
