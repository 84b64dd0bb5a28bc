package recovery

import "testing"

// The other fleets of its broker have nothing to do with it.
func TestNobodyReturnsTheTasksOfAFleetThatIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.look(ended(many(40)...)...)
	theirs := Fleet{Namespace: "ns", Name: "theirs"}
	w.observe(theirs, Observation{Now: w.now, Workers: ended("z"), Places: w.seen.Places, At: w.seen.At})
	todo := w.next(w.now)
	w.finish(todo[0], result{})
	w.forget(ours)
	w.wokenIs()
	for _, each := range todo[1:] {
		w.finish(each, result{})
	}
	w.do("return z", result{})
	w.wokenIs(theirs)
}

func TestNothingIsLeftOfAFleetThatIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.look(ended(many(40)...)...)
	todo := w.next(w.now)
	w.forget(ours)
	w.forget(ours)
	w.todo()
	w.finish(todo[0], result{moved: 1})
	w.finish(todo[1], result{err: errRefused})
	w.wokenIs()
	w.todo()
	w.wakesIn(0)
	if len(w.fleets) > 0 || len(w.paces) > 0 || len(w.busy) > 0 {
		t.Errorf("left: %d fleets, %d paces, %d busy brokers", len(w.fleets), len(w.paces), len(w.busy))
	}
}
