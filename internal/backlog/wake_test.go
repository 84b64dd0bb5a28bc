package backlog_test

import (
	"errors"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

// Whoever is to be woken is woken once, and always in the same order.
func TestWhoIsWokenAndInWhichOrder(t *testing.T) {
	keys := []backlog.Key{
		{Watcher: backlog.QWorker, Namespace: "a", Name: "a"},
		{Watcher: backlog.QWorker, Namespace: "a", Name: "b"},
		{Watcher: backlog.QWorker, Namespace: "a", Name: "b", Revision: "1"},
		{Watcher: backlog.QWorker, Namespace: "a", Name: "b", Revision: "2"},
		{Watcher: backlog.QWorker, Namespace: "a", Name: "c"},
		{Watcher: backlog.QWorker, Namespace: "b", Name: "a"},
		{Watcher: backlog.QWorker, Namespace: "b", Name: "a", Revision: "1"},
		{Watcher: backlog.ScalerConfig, Namespace: "a", Name: "a"},
	}
	inBubble(t, backlog.Options{Jitter: exactly}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		for _, i := range rand.New(rand.NewSource(1)).Perm(len(keys)) {
			w := watchOf("x", "q")
			w.Source.Kind = b.kind()
			if keys[i].Watcher == backlog.ScalerConfig {
				b.Backlog.Keep(keys[i], w.Source, true)
			} else {
				b.Backlog.Watch(keys[i], w)
			}
		}
		steps := []struct {
			what   string
			change func()
			want   []backlog.Key
		}{
			{"they are read at first", func() {}, append(slices.Clone(keys), keys[7])}, // and it is known whose the claim is
			{"the depth changes", func() { x.push("q", 1) }, keys[:7]},
			{"it is the same, after all may have changed", x.ringAll, keys[:7]},
			{"the broker fails", func() { x.set(func() { x.down = errDown }); x.ringAll() }, keys},
			{"it goes on failing", func() {}, nil},
			{"it fails otherwise", func() { x.set(func() { x.down = errors.New("gone") }) }, keys},
			{"it answers", func() { x.set(func() { x.down, x.opens = nil, x.closes }) }, keys},
		}
		for _, step := range steps {
			step.change()
			wait(6 * time.Second)
			if diff := cmp.Diff(step.want, b.wakes(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", step.what, diff)
			}
			b.forgetWakes()
		}
		if diff := cmp.Diff(backlog.Reading{}, b.Backlog.Last(keys[7])); diff != "" {
			t.Errorf("of a broker's health there is no reading (-want +got):\n%s", diff)
		}
	})
}

// A queue that cannot be read harms no other. Its watcher is woken when it fails, when it fails otherwise, and when it
// is read again, also where no reading as such would matter to it.
func TestOneQueueThatCannotBeRead(t *testing.T) {
	const every = 10 * time.Second
	inBubble(t, backlog.Options{Jitter: exactly, SafetyInterval: every}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		x.push("bad", 2)
		x.push("good", 3)
		bad, good := watchOf("x", "bad"), watchOf("x", "good")
		bad.Significant, good.Significant = nil, nil
		b.Watch("bad", bad)
		b.Watch("good", good)
		began := time.Now()
		wait(time.Second)
		because := func(reason broker.Reason, words string) error { return &broker.Error{Reason: reason, Message: words} }
		wrong, invalid, failed := because(broker.ReasonWrongType, "text"), because(broker.ReasonInvalidQueue, "text"), because(broker.ReasonInvalidQueue, "none")
		for i, step := range []struct {
			what  string
			err   error
			since int // the safety poll at which it began to fail
			woken int
		}{
			{"it is read", nil, 0, 0},
			{"it fails", wrong, 2, 1},
			{"it fails as before, by another error", because(broker.ReasonWrongType, "text"), 2, 0},
			{"for another reason", invalid, 2, 1},
			{"in other words", failed, 2, 1},
			{"it is read again", nil, 0, 1},
			{"it goes on being read", nil, 0, 0},
		} {
			b.forgetWakes()
			x.set(func() { x.refuses = map[string]error{"bad": step.err} })
			wait(every)
			want := backlog.Reading{Depth: broker.Depth{Waiting: broker.CountOf(2), InFlight: broker.CountOf(0), Held: map[string]int64{}}, Known: true, ReadAt: began.Add(time.Duration(i+1) * every)}
			if step.err != nil {
				want.ReadAt, want.Err, want.ErrSince, want.Told = began.Add(every), step.err, began.Add(time.Duration(step.since)*every), step.err
			}
			if diff := cmp.Diff(want, b.Last("bad"), cmpopts.EquateErrors()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", step.what, diff)
			}
			if r := b.Last("good"); r.Err != nil || r.Depth.Waiting != broker.CountOf(3) || b.wokenFor("good") != 0 {
				t.Errorf("%s: the other queue's reading is %+v, and it was woken %d times", step.what, r, b.wokenFor("good"))
			}
			if n := b.wokenFor("bad"); n != step.woken {
				t.Errorf("%s: woken %d times, want %d", step.what, n, step.woken)
			}
		}
	})
}

// What is shown of a broker's health, since when, and how often who looks at it is woken.
func TestHealth(t *testing.T) {
	inBubble(t, backlog.Options{Jitter: exactly, PollInterval: time.Second, SafetyInterval: time.Second}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		if diff := cmp.Diff(backlog.Health{}, b.Health("x")); diff != "" {
			t.Errorf("of what nobody watches (-want +got):\n%s", diff)
		}
		b.Keep("health", sourceAt("x"), true)
		began := time.Now()
		wait(500 * ms)
		if diff := cmp.Diff(backlog.Health{Known: true, Since: began, Pushes: true, Claim: backlog.Claim{Known: true}}, b.Health("x")); diff != "" {
			t.Errorf("at first (-want +got):\n%s", diff)
		}
		for _, step := range []struct {
			what   string
			change func()
			want   backlog.Health
			same   bool
		}{
			{"it still answers", func() {}, backlog.Health{Pushes: true}, true},
			{"it pushes no more", func() { x.polled = true }, backlog.Health{Why: "it has no bell"}, false},
			{"for another reason", func() { x.why = "it is forbidden" }, backlog.Health{Why: "it is forbidden"}, false},
			{"it fails", func() { x.down = errDown }, backlog.Health{Err: errDown, Why: "it is forbidden"}, false},
			{"it goes on failing", func() {}, backlog.Health{Err: errDown, Why: "it is forbidden"}, true},
			{"it answers", func() { x.down, x.polled, x.opens = nil, false, x.closes }, backlog.Health{Pushes: true}, false},
		} {
			before := b.Health("x").Since
			b.forgetWakes()
			x.set(step.change)
			changed := time.Now()
			wait(10 * time.Second)
			got, want := b.Health("x"), step.want
			want.Known, want.Since, want.Claim.Known = true, got.Since, true
			if diff := cmp.Diff(want, got, cmpopts.EquateErrors()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", step.what, diff)
			}
			woken := b.wokenFor("health")
			// It is noticed at the next poll, or at the next connection.
			late := got.Since.Sub(changed)
			if step.same && (woken != 0 || got.Since != before) || !step.same && (woken != 1 || late <= 0 || late > 5*time.Second) {
				t.Errorf("%s: woken %d times, since %s after the change", step.what, woken, late)
			}
		}
	})
}
