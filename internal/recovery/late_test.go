package recovery

import (
	"testing"
	"time"
)

// lingers has a worker whose pod is gone and whose tasks are back.
func lingers(t *testing.T) *world {
	w := newWorld(t)
	w.vanishes("a")
	w.do("confirm and return a", result{moved: 1})
	return w
}

// A late task turned up within the minute, and the broker cannot be read until long after. Nothing is to be done by time
// alone meanwhile: the broker wakes.
func TestALateTaskTurnsUpWhileTheBrokerCannotBeRead(t *testing.T) {
	w := lingers(t)
	w.pass(time.Second)
	w.readings[main.Key] = failedReading(w.now, 0)
	w.pass(50 * time.Minute)
	w.snapshotIs(w.look(), Snapshot{Dead: []Dead{dead("a", Lingering)}, Returned: 1})
	w.readings[main.Key] = readingOf(w.now, 1)
	w.look()
	w.todo("confirm and return a")
}

// A reading of 59 s shows the task; the reconciler looks 2 s later.
func TestALateTaskIsSeenAndLookedAtASecondLate(t *testing.T) {
	w := lingers(t)
	w.pass(59 * time.Second)
	w.readings[main.Key] = readingOf(w.now, 1)
	w.pass(2 * time.Second)
	w.look()
	w.todo("confirm and return a")
}

// The look that ends the minute has a reading that shows the task.
func TestALateTaskIsSeenAtTheLastLook(t *testing.T) {
	w := lingers(t)
	w.pass(lingering)
	w.readings[main.Key] = readingOf(w.now, 1)
	w.look()
	w.todo("confirm and return a")
}
