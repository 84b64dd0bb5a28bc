package scaling

import (
	"math"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/quickube/qscaler/internal/propertytest"
)

func anyScale(t *rapid.T) Scale {
	minimum := rapid.IntRange(0, 5).Draw(t, "min")
	return Scale{
		Min: minimum, Max: minimum + rapid.IntRange(0, 20).Draw(t, "range"),
		PerMessage: big.NewRat(rapid.Int64Range(1, 5).Draw(t, "workers"), rapid.Int64Range(1, 5).Draw(t, "messages")),
		DownDelay:  time.Duration(rapid.IntRange(0, 40).Draw(t, "delay")) * time.Second,
	}
}

func anyCount(t *rapid.T, name string) Count {
	few := rapid.Int64Range(0, 30)
	return Count{
		N:     rapid.OneOf(few, few, few, rapid.Just[int64](math.MaxInt64)).Draw(t, name),
		Known: rapid.IntRange(0, 9).Draw(t, name+" unknown") > 0,
	}
}

func anyQueue(t *rapid.T) Queue {
	return Queue{
		Waiting: anyCount(t, "waiting"), InFlight: anyCount(t, "in flight"),
		Leaving: rapid.Int64Range(0, 10).Draw(t, "leaving"), Stale: rapid.IntRange(0, 4).Draw(t, "stale") == 0,
	}
}

// anyFleet is one that has lived for a while.
func anyFleet(t *rapid.T) *fleet {
	f := newFleet(anyScale(t), rapid.IntRange(0, 30).Draw(t, "before"))
	for range rapid.IntRange(0, 8).Draw(t, "decisions") {
		f.sees(anyPause(t), anyQueue(t))
	}
	return f
}

func anyPause(t *rapid.T) time.Duration {
	return time.Duration(rapid.IntRange(0, 20_000).Draw(t, "pause")) * time.Millisecond
}

// What holds of every decision.
func TestEveryDecision(t *testing.T) {
	propertytest.Check(t, func(t *rapid.T) {
		f := anyFleet(t)
		d := f.sees(anyPause(t), anyQueue(t))
		if d.Desired < f.in.Scale.Min || d.Desired > f.in.Scale.Max {
			t.Errorf("%d is out of the range %d to %d", d.Desired, f.in.Scale.Min, f.in.Scale.Max)
		}
		if d.Finishing < 0 || d.Finishing > d.Desired {
			t.Errorf("%d of %d are for messages that leaving workers finish", d.Finishing, d.Desired)
		}
		if !d.Until.IsZero() && !d.Until.After(f.in.Now) {
			t.Errorf("it stands until %v, and now it is %v", d.Until, f.in.Now)
		}
		checkNotes(t, f.in, d)
	})
}

// checkNotes checks that each step has left a note, and that they lead from the number before to the one after.
func checkNotes(t *rapid.T, in Input, d Decision) {
	chain := steps()
	if len(d.Notes) != len(chain) {
		t.Fatalf("%d notes of %d steps", len(d.Notes), len(chain))
	}
	for i, n := range d.Notes {
		if n.Step != chain[i].name || n.Why == "" {
			t.Errorf("note %d is %+v, want one of %s", i, n, chain[i].name)
		}
		if i > 0 && n.From != d.Notes[i-1].To {
			t.Errorf("%s begins with %d, and the step before left %d", n.Step, n.From, d.Notes[i-1].To)
		}
		if !n.Until.IsZero() && !n.Until.After(in.Now) {
			t.Errorf("what %s says stands until %v, and now it is %v", n.Step, n.Until, in.Now)
		}
	}
	if last := d.Notes[len(d.Notes)-1].To; last != int64(d.Desired) {
		t.Errorf("the last step left %d, and %d are desired", last, d.Desired)
	}
}

// The same input again and again: the number only falls, never before it was said to, and at last stays.
func TestConstantInputNeverOscillates(t *testing.T) {
	propertytest.Check(t, func(t *rapid.T) {
		f := anyFleet(t)
		q := anyQueue(t)
		last := f.sees(anyPause(t), q)
		end := f.in.Now.Add(f.in.Scale.DownDelay)
		for f.in.Now.Before(end) {
			next := f.sees(anyPause(t)+1, q)
			early := last.Until.IsZero() || f.in.Now.Before(last.Until)
			if next.Desired > last.Desired || (next.Desired != last.Desired && early) {
				t.Fatalf("from %d, which was to stand until %v, to %d at %v", last.Desired, last.Until, next.Desired, f.in.Now)
			}
			last = next
		}
		if next := f.sees(time.Hour, q); next.Desired != last.Desired || !next.Until.IsZero() {
			t.Errorf("from %d to %d, until %v, once the delay is over", last.Desired, next.Desired, next.Until)
		}
	})
}

func TestMoreMessagesNeverMeanFewerWorkers(t *testing.T) {
	propertytest.Check(t, func(t *rapid.T) {
		f := anyFleet(t)
		in := f.in
		in.Now, in.Queue = in.Now.Add(anyPause(t)), anyQueue(t)
		more := in
		more.Queue.Waiting.N = sum(in.Queue.Waiting.N, rapid.Int64Range(0, 20).Draw(t, "more waiting"))
		more.Queue.InFlight.N = sum(in.Queue.InFlight.N, rapid.Int64Range(0, 20).Draw(t, "more in flight"))
		if few, many := Decide(in), Decide(more); many.Desired < few.Desired {
			t.Errorf("%d workers for %+v, and %d for %+v", few.Desired, in.Queue, many.Desired, more.Queue)
		}
	})
}

// A queue that cannot be read for certain never lowers the number.
func TestWhatIsNotReadableMovesNothingDown(t *testing.T) {
	propertytest.Check(t, func(t *rapid.T) {
		f := anyFleet(t)
		last := f.sees(anyPause(t), anyQueue(t)).Desired
		for range rapid.IntRange(1, 5).Draw(t, "failures") {
			q := anyQueue(t)
			if q.certain() {
				q.Stale = true
			}
			next := f.sees(anyPause(t), q).Desired
			if next < last {
				t.Fatalf("from %d to %d by %+v: %+v", last, next, q, f.Notes)
			}
			last = next
		}
	})
}

// A state of the queue that changes nothing changes nothing at once, and nothing that the window will have.
func TestWhatDoesNotWakeIsNotMissed(t *testing.T) {
	propertytest.Check(t, func(t *rapid.T) {
		f := anyFleet(t)
		f.sees(anyPause(t), anyQueue(t))
		next := anyQueue(t)
		next.Stale = false // a failed read wakes without being asked about
		if f.in.Changes(next) {
			return
		}
		told, untold := *f, *f
		told.sees(0, next)
		untold.sees(0, f.in.Queue)
		if told.Desired != untold.Desired {
			t.Fatalf("%d without, and %d with a reading that did not wake", untold.Desired, told.Desired)
		}
		pause := anyPause(t)
		if told.sees(pause, next).Desired != untold.sees(pause, f.in.Queue).Desired {
			t.Errorf("%d without, and %d with a reading that did not wake, after %s", untold.Desired, told.Desired, pause)
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	f := newFleet(scale(0, 1000), 0)
	f.sees(0, queued(500, 100, 0))
	b.ReportAllocs()
	for b.Loop() {
		f.sees(time.Millisecond, queued(400, 100, 10))
	}
}
