package recovery

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/backlog"
)

// At most so many calls at once, and the next as soon as one has ended.
func TestHowManyCallsABrokerGetsAtOnce(t *testing.T) {
	w := newWorld(t)
	w.look(ended(many(100)...)...)
	todo := w.next(w.now)
	if diff := cmp.Diff(many(32), namesOf(todo)); diff != "" {
		t.Fatalf("the first (-want +got):\n%s", diff)
	}
	w.wakesIn(0) // a call that ends wakes
	w.todo()
	w.finish(todo[5], result{})
	if at := w.recheckAt(w.now); !at.Equal(w.now) {
		t.Errorf("one call has ended, and the next is to begin at %s, want now", at)
	}
	w.todo("return w-0032")
	calls := 33
	for _, each := range todo[6:] {
		w.finish(each, result{})
	}
	for todo = w.next(w.now); len(todo) > 0; todo = w.next(w.now) {
		calls += len(todo)
		for _, each := range todo {
			w.finish(each, result{})
		}
	}
	if calls != 100 {
		t.Errorf("%d calls for 100 workers", calls)
	}
}

// A broker that does not answer is left alone for a pause that doubles, however many wait for it, and those that wait
// fail as those do that were tried: their pods must not pile up.
func TestABrokerThatDoesNotAnswerIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	names := many(100)
	w.look(ended(names...)...)
	timeout := fmt.Errorf("returning, %w", context.DeadlineExceeded)
	for round, pause := range []time.Duration{1, 2, 4} {
		pause *= time.Second
		todo := w.next(w.now)
		if len(todo) != 32 {
			t.Fatalf("round %d: %d calls, want 32", round, len(todo))
		}
		w.pass(5 * time.Second)
		for _, each := range todo {
			w.finish(each, result{err: timeout})
		}
		s := w.look(ended(names...)...)
		for _, d := range s.Dead {
			if d.Failures != round+1 && d.Failures != 1 || !errors.Is(d.Err, context.DeadlineExceeded) {
				t.Fatalf("round %d: %+v", round, d)
			}
		}
		if got, want := s.Dead[99].IsFailing(), round == 2; got != want {
			t.Errorf("round %d: the last one, which was never tried, is failing: %t, want %t", round, got, want)
		}
		w.wakesIn(pause)
		w.pass(pause - 1)
		w.todo()
		w.pass(1)
	}
	todo := w.next(w.now)
	w.finish(todo[0], result{})
	s := w.look(ended(names...)...)
	if s.Dead[99].Failures != 0 {
		t.Errorf("the broker answers, and the last one has %d failures", s.Dead[99].Failures)
	}
	if n := len(w.next(w.now)); n != 1 {
		t.Errorf("%d more calls when one has been answered, want 1", n)
	}
}

// Those who wait with a broker that does not answer are woken when that is to be told, once.
func TestWhoWaitsForABrokerThatDoesNotAnswerIsWoken(t *testing.T) {
	w := newWorld(t)
	w.look(ended(many(4 * parallelCalls)...)...)
	theirs := Fleet{Namespace: "ns", Name: "theirs", UID: "2"}
	w.observe(theirs, Observation{Now: w.now, Workers: ended("zz"), Places: w.seen.Places, At: w.seen.At})
	for _, want := range [][]Fleet{{ours}, {ours}, {ours, theirs}, {ours}} {
		for _, each := range w.next(w.now) {
			w.finish(each, result{err: context.DeadlineExceeded})
		}
		w.wokenIs(want...)
		w.pass(time.Minute)
	}
}

// A worker that waits fails by its broker's silence, but not one that failed as often by an answer, nor one
// whose tasks are back.
func TestWhomTheSilenceOfABrokerConcerns(t *testing.T) {
	w := newWorld(t)
	w.look(ended("back")...)
	w.do("return back", result{})
	w.look(ended("a", "b", "back")...)
	todo := w.todo("return a", "return b")
	w.finish(todo[0], result{err: errRefused})
	w.finish(todo[1], result{err: context.DeadlineExceeded})
	w.snapshotIs(w.look(ended("a", "b", "back", "late")...), Snapshot{
		Dead: []Dead{
			failed("a", Ended, 1, errRefused),
			failed("b", Ended, 1, context.DeadlineExceeded),
			dead("back", Returned),
			failed("late", Ended, 1, context.DeadlineExceeded),
		},
		Failure: errRefused,
	})
}

// Brokers have nothing to do with each other.
func TestABrokerDoesNotWaitForAnother(t *testing.T) {
	w := newWorld(t)
	w.seen.Places = []Place{main, former}
	w.seen.At = func(revision string) Place { return map[string]Place{"r": main, "r0": former}[revision] }
	w.readings[former.Key] = backlog.Reading{Known: true}
	w.look()
	w.do("search old", result{})
	workers := ended(many(40)...)
	for i := range workers[:35] {
		workers[i].Revision = "r0"
	}
	w.look(workers...)
	todo := w.next(w.now)
	if len(todo) != 32+5 {
		t.Fatalf("%d calls, want 32 of the one and 5 of the other", len(todo))
	}
	for _, each := range todo {
		if each.pace.id == "old" {
			w.finish(each, result{err: context.DeadlineExceeded})
		}
	}
	workers = append(workers, ended("z")...)
	w.look(workers...)
	w.todo("return z")
}

// Who waited for a broker is not woken for its silence once its fleet works elsewhere.
func TestWhoHasLeftABrokerIsNotWokenForItsSilence(t *testing.T) {
	w := newWorld(t)
	w.look(ended("a")...)
	for range Tries - 1 {
		w.do("return a", result{err: context.DeadlineExceeded})
		w.pass(time.Minute)
	}
	last := w.todo("return a")
	theirs := Fleet{Namespace: "ns", Name: "theirs", UID: "2"}
	sees := Observation{Now: w.now, Workers: ended("zz"), Places: w.seen.Places, At: w.seen.At}
	w.observe(theirs, sees)
	sees.Places = nil
	w.observe(theirs, sees)
	w.seen.Places = nil
	w.look(ended("a")...)
	w.takeWoken()
	w.finish(last[0], result{err: context.DeadlineExceeded})
	w.wokenIs(ours)
}
