package simulation

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/quickube/qscaler/internal/bubbletest"
)

var (
	firstSeed   = flag.Uint64("simulation.seed", 1, "seed of the first world; 0 draws one")
	steps       = flag.Int("simulation.steps", 100_000/share, "seconds that TestWholeController simulates, 2,000 to a world")
	replays     = flag.Int("simulation.replays", max(3/share, 1), "worlds that TestSameSeedSameWorld lives through twice")
	replaySteps = flag.Int("simulation.replaysteps", 500, "seconds that each of them lasts, each time")
)

// stepsOfWorld is how long one world lasts before calm returns to it. Many short lives find more than a long one:
// each ends with the question whether everything comes out right.
const stepsOfWorld = 2000

// TestWholeController runs worlds of accidents. Whatever happens in one, in the end each of its tasks is done, its
// fleet is what the spec says, and nothing is left when the QWorker is deleted.
func TestWholeController(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	seed := *firstSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	for i := range max(*steps/stepsOfWorld, 1) {
		seed := seed + uint64(i)
		passed := t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Logf("run it again with: -run TestWholeController -simulation.seed %d -simulation.steps %d", seed, min(*steps, stepsOfWorld))
			bubbletest.Run(t, func(t *testing.T) { liveThrough(t, seed, min(*steps, stepsOfWorld)) })
		})
		if !passed {
			return
		}
	}
}

// liveThrough runs one world from its beginning to its end.
func liveThrough(t *testing.T, seed uint64, steps int) *world {
	w := newWorld(seed)
	defer func() { w.operator.stop() }()
	for range steps {
		w.accident()
		w.second()
		if len(w.watch.violations) > 0 {
			w.fail(t, "%s", w.watch.violations)
		}
	}
	w.calm()
	const longest = 3000 // back-offs reach ten minutes
	if missing := w.settle(longest, w.unsettled); missing != "" {
		w.fail(t, "not settled after %d seconds of calm: %s", longest, missing)
	}
	w.checkRest(t)
	w.checkDeletion(t)
	w.checkHappened(t)
	return w
}

// checkRest checks that a fleet that is as it should be costs the API server nothing.
func (w *world) checkRest(t *testing.T) {
	const settled, rest = 300, 120 // the lists of workers that have left are no longer watched
	w.settle(settled, func() string { return "wait" })
	before := w.faults.writes
	w.settle(rest, func() string { return "wait" })
	if n := w.faults.writes - before; n > 0 {
		w.fail(t, "%d writes in %d seconds in which nothing happens", n, rest)
	}
	if missing := w.unsettled(); missing != "" {
		w.fail(t, "it did not last: %s", missing)
	}
}

// checkDeletion deletes the QWorker while its workers are at work, and in some worlds while no operator watches and
// its workers die.
func (w *world) checkDeletion(t *testing.T) {
	w.push(3, 20)
	w.settle(8, func() string { return "wait" })
	unwatched := w.oneIn(2)
	if unwatched {
		w.operator.stop()
		w.loseAll()
	}
	w.delete()
	if unwatched {
		w.restart()
	}
	const longest = 600
	missing := w.settle(longest, func() string {
		_, held := w.queues.depth(queue)
		left := len(w.server.list(pods)) + len(w.server.list(qworkers)) + len(w.server.list(revisions))
		if left > 0 || len(held) > 0 {
			return fmt.Sprintf("%d objects are left, and tasks are held: %v", left, held)
		}
		return ""
	})
	if missing != "" {
		w.fail(t, "%s", missing)
	}
}

// checkHappened checks that things happened in the world.
func (w *world) checkHappened(t *testing.T) {
	i := w.watch
	if w.tick < stepsOfWorld {
		return
	}
	if i.doneCount == 0 || i.published < 2 || i.granted+i.signalled == 0 || w.restarts == 0 || w.queues.reclaimed == 0 {
		t.Errorf("too little has happened: %d done, %d published, %d granted, %d signalled, %d withdrawn, %d restarts, %d reclaimed",
			i.doneCount, i.published, i.granted, i.signalled, i.withdrawn, w.restarts, w.queues.reclaimed)
	}
}

// TestSameSeedSameWorld runs some worlds twice, and everything happens again at the same nanosecond: a seed that does
// not reproduce a failure is useless.
func TestSameSeedSameWorld(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	for i := range *replays {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			first, second := historyOf(t, seed), historyOf(t, seed)
			if slices.Equal(first, second) {
				return
			}
			at := 0
			for at < min(len(first), len(second)) && first[at] == second[at] {
				at++
			}
			around := func(h []string) []string { return h[max(at-20, 0):min(at+5, len(h))] }
			t.Errorf("the second time was another (-first +second):\n%s", cmp.Diff(around(first), around(second)))
		})
	}
}

func historyOf(t *testing.T, seed uint64) (lines []string) {
	bubbletest.Run(t, func(t *testing.T) { lines = liveThrough(t, seed, *replaySteps).history })
	return lines
}
