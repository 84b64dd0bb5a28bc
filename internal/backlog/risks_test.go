package backlog_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

func (d *fakeDriver) Inspect(context.Context) ([]broker.Risk, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inspections++
	if d.inspected != nil {
		return d.inspected()
	}
	return nil, nil
}

// A broker's settings are asked for when it is connected and every five minutes. Who keeps an eye on it is woken when
// they have changed, and nobody else.
func TestRisksAreAskedForNowAndThen(t *testing.T) {
	inBubble(t, backlog.Options{Jitter: exactly}, func(t *testing.T, b *bubble) {
		fake := b.brokers["x"]
		risky := []broker.Risk{{Reason: broker.ReasonMayEvict, Message: "it forgets\x1b"}}
		b.Keep("health", watchOf("x", "q").Source, false)
		b.Watch("w", watchOf("x", "q"))
		shows := func(reason string, inspections int) {
			t.Helper()
			var want []broker.Risk
			if reason != "" {
				want = []broker.Risk{{Reason: broker.Reason(reason), Message: "it forgets"}}
			}
			if diff := cmp.Diff(want, b.Health("x").Risks); diff != "" {
				t.Errorf("risks (-want +got):\n%s", diff)
			}
			fake.set(func() {
				if fake.inspections != inspections {
					t.Errorf("asked %d times, want %d", fake.inspections, inspections)
				}
			})
		}
		wait(time.Second)
		shows("", 1)
		b.forgetWakes()
		fake.set(func() { fake.inspected = func() ([]broker.Risk, error) { return risky, nil } })
		wait(6 * time.Minute)
		shows("MayEvict", 2)
		if b.wokenFor("health") != 1 || b.wokenFor("w") != 0 {
			t.Errorf("woken: %v, want who looks after the health, once", b.wakes())
		}
		b.forgetWakes()
		wait(5 * time.Minute)
		shows("MayEvict", 3)
		for _, fails := range []func() ([]broker.Risk, error){
			func() ([]broker.Risk, error) { return nil, errDown },
			func() ([]broker.Risk, error) { panic("a mistake") },
		} {
			fake.set(func() { fake.inspected, fake.inspections = fails, 0 })
			wait(5 * time.Minute)
			shows("MayEvict", 1)
		}
		if woken := b.wakes(); len(woken) > 0 {
			t.Errorf("woken though nothing has changed: %v", woken)
		}
		if health := b.Health("x"); health.Err != nil || strings.Contains(health.Risks[0].Message, "\x1b") {
			t.Errorf("%+v", health)
		}
	})
}
