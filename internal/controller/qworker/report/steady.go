package report

import (
	"fmt"
	"slices"
	"time"

	"github.com/quickube/qscaler/internal/planner"
)

// serves reports whether a pod is a ready worker that will stay.
func (p Pod) serves() bool { return p.Phase == planner.Running && p.Ready && !p.granted() }

// steadyAt is when a ready worker counts as one that stays up.
func (p Pod) steadyAt() time.Time { return p.ReadyChanged.Add(p.SteadyAfter) }

// steady reports whether a worker is ready, and has been for long enough.
func (p Pod) steady(now time.Time) bool { return p.serves() && !now.Before(p.steadyAt()) }

// enoughSteady reports whether as many workers as desired are ready and stay up. Where only time is missing it returns
// when they do, and for how long a worker must be ready.
func enoughSteady(now time.Time, pods []Pod, desired int32) (enough bool, recheckAt time.Time, after time.Duration) {
	times := make([]time.Time, 0, len(pods))
	for _, p := range pods {
		if !p.serves() {
			continue
		}
		times = append(times, p.steadyAt())
		if !p.steady(now) {
			after = max(after, p.SteadyAfter)
		}
	}
	if len(times) < int(desired) {
		return false, time.Time{}, after
	}
	if desired <= 0 {
		return true, time.Time{}, after
	}
	slices.SortFunc(times, time.Time.Compare)
	if at := times[desired-1]; now.Before(at) {
		return false, at, after
	}
	return true, time.Time{}, after
}

// notYetFor says that workers are ready and have to be so for longer.
func notYetFor(after time.Duration, desired int32) string {
	if desired == 1 {
		return fmt.Sprintf(", but not for %s yet", after)
	}
	return fmt.Sprintf(", but not all of them for %s yet", after)
}
