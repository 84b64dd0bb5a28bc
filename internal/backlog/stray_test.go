package backlog_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

// everybody takes every worker for its own.
func everybody(string) bool { return true }

func holding(queue string, workers ...string) (holders []broker.Holder) {
	for _, worker := range workers {
		holders = append(holders, broker.Holder{Queues: []string{queue}, Worker: worker})
	}
	return holders
}

// One walk serves all who ask, but for those to whom only what comes later is news.
func TestStraysAreLookedForAgainWhenAsked(t *testing.T) {
	inBubble(t, backlog.Options{}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		x.set(func() { x.holders = holding("q", "a") })
		b.Watch("w", watchOf("x", "q"))
		b.Watch("other", watchOf("x", "r"))
		wait(time.Second)
		for range 3 {
			_, _, _ = b.Strays("w", everybody, time.Time{})
			_, _, _ = b.Strays("other", everybody, time.Time{})
			wait(time.Second)
		}
		found, known, err := b.Strays("w", everybody, time.Time{})
		if diff := cmp.Diff([]string{"a"}, found); diff != "" || !known || err != nil || x.walked() != 1 {
			t.Errorf("known %t, %v, after %d walks; strays (-want +got):\n%s", known, err, x.walked(), diff)
		}

		since := time.Now()
		x.set(func() { x.holders = holding("q", "a", "b") })
		wait(time.Second)
		if _, known, _ := b.Strays("w", everybody, since); known {
			t.Error("what was found before is taken for what came later")
		}
		wait(time.Second)
		found, known, _ = b.Strays("w", everybody, since)
		if diff := cmp.Diff([]string{"a", "b"}, found); diff != "" || !known || x.walked() != 2 {
			t.Errorf("known %t, after %d walks; strays (-want +got):\n%s", known, x.walked(), diff)
		}
	})
}

// Who asks while a walk is under way that began too early gets the next one.
func TestAWalkThatBeganTooEarlyIsFollowedByAnother(t *testing.T) {
	inBubble(t, backlog.Options{SafetyInterval: time.Hour}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		x.set(func() { x.walking = make(chan struct{}) })
		b.Watch("w", watchOf("x", "q"))
		wait(time.Second)
		_, _, _ = b.Strays("w", everybody, time.Time{})
		wait(time.Second)
		since := time.Now()
		wait(time.Second)
		_, _, _ = b.Strays("w", everybody, since)
		wait(time.Second)
		x.set(func() { close(x.walking); x.walking, x.holders = nil, holding("q", "a") })
		wait(time.Second)
		if found, known, _ := b.Strays("w", everybody, since); !known || len(found) != 1 || x.walked() != 2 {
			t.Errorf("strays %v, known %t, after %d walks; want a, after 2", found, known, x.walked())
		}
	})
}

// A walk that fails is tried again, and who waits for it is told once that goes on, and once it is over.
func TestThatStraysCannotBeFoundIsTold(t *testing.T) {
	inBubble(t, backlog.Options{}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		refused := errors.New("NOPERM")
		x.set(func() { x.lost = refused })
		b.Watch("w", watchOf("x", "q"))
		wait(time.Second)
		before := b.wokenFor("w")
		if _, known, err := b.Strays("w", everybody, time.Time{}); known || err != nil {
			t.Errorf("before it was tried: known %t, %v", known, err)
		}
		wait(time.Minute)
		if _, known, err := b.Strays("w", everybody, time.Time{}); known || !errors.Is(err, refused) {
			t.Errorf("while it fails: known %t, %v; want %v", known, err, refused)
		}
		if n := b.wokenFor("w") - before; n != 1 {
			t.Errorf("woken %d times for a failure that goes on, want once", n)
		}
		walks := x.walked()
		wait(time.Hour)
		if n := x.walked() - walks; n < 50 || n > 61 {
			t.Errorf("%d walks in an hour, want about one a minute", n)
		}
		x.set(func() { x.lost = nil })
		wait(2 * time.Minute)
		if n := b.wokenFor("w") - before; n != 2 {
			t.Errorf("woken %d times, want a second time, because it fails no more", n)
		}
		if _, known, err := b.Strays("w", everybody, time.Time{}); !known || err != nil {
			t.Errorf("once it fails no more: known %t, %v", known, err)
		}
	})
}

// A lost connection ends a walk, and says nothing.
func TestOneFailureIsNoNews(t *testing.T) {
	inBubble(t, backlog.Options{}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		x.set(func() { x.lost = errDown })
		b.Watch("w", watchOf("x", "q"))
		wait(time.Second)
		before := b.wokenFor("w")
		_, _, _ = b.Strays("w", everybody, time.Time{})
		wait(time.Second)
		x.set(func() { x.lost = nil })
		wait(time.Minute)
		if _, known, err := b.Strays("w", everybody, time.Time{}); !known || err != nil {
			t.Errorf("known %t, %v", known, err)
		}
		if n := b.wokenFor("w") - before; n != 0 {
			t.Errorf("woken %d times for nothing", n)
		}
	})
}
