package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/controller/words"
)

// fillUnknownHolders says what unknown holders have. While nobody has looked, as after a restart, what was said stays.
func (t *Told) fillUnknownHolders(now time.Time, s *UnknownHolders) {
	switch {
	case s == nil:
	case s.Workers == 0:
		t.Status.UnknownHolders = nil
		set(&t.Status, Absent(v1alpha1.ConditionUnknownHolders), now)
	default:
		t.Status.UnknownHolders = &v1alpha1.UnknownHolders{Workers: s.Workers, Tasks: s.Tasks}
		set(&t.Status, Is(v1alpha1.ConditionUnknownHolders, true, ReasonTasksHeld, s.message()), now)
	}
}

func (s *UnknownHolders) message() string {
	names := strings.Join(s.Names, ", ")
	if s.Workers > int64(len(s.Names)) {
		names += ", ..."
	}
	tasks := words.HowMany(s.Tasks, "task of the queue", "tasks of the queue")
	if s.Tasks == 0 { // who is known to hold none is not among them
		tasks = "tasks of the queue, which could not be counted"
	}
	return fmt.Sprintf("%s: %s. QScaler does not touch the tasks: no QWorker of this cluster created these workers, and they may be alive. If you are sure that they are dead, return their tasks by hand: see UnknownHolders in docs/troubleshooting.md",
		words.HowMany(s.Workers, "unknown holder has", "unknown holders have")+" "+tasks, names)
}
