package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/controller/words"
	"github.com/quickube/qscaler/internal/planner"
)

// notHonouredAfter is how old a grant must be, in a fleet in which none was ever used, to say so.
const notHonouredAfter = 10 * time.Minute

// leaver is a worker that leaves once its task is done.
type leaver struct {
	name string
	// since is when it was told, zero where nobody knows: a person has given the grant by hand.
	since time.Time
	why   string
}

// bySIGTERM is why a worker leaves whose pod is being deleted.
const bySIGTERM = "SIGTERM"

// drainingOf is True while workers have a grant. It returns also which of them were last seen at a task, for the next
// call, and when time alone changes the condition.
func drainingOf(now time.Time, o Observed, leftBefore bool, busy map[string]time.Time) (c metav1.Condition, stillBusy map[string]time.Time, recheck time.Time) {
	const kind = v1alpha1.ConditionDraining
	var granted []Pod
	var leavers []leaver
	for _, p := range o.Pods {
		switch {
		case p.granted() && p.Phase == planner.Running:
			granted = append(granted, p)
			leavers = append(leavers, leaver{p.Name, p.Grant.Since, string(p.Grant.Reason)})
		case p.Phase == planner.Terminating && !p.Signalled.IsZero():
			leavers = append(leavers, leaver{p.Name, p.Signalled, bySIGTERM})
		}
	}
	ignoring := false
	if !leftBefore {
		ignoring, stillBusy, recheck = ignoringOf(now, granted, busy)
	}
	switch {
	case len(leavers) == 0:
		c = Is(kind, false, ReasonNoGrants, "no worker is told to leave")
	case ignoring:
		c = Is(kind, true, ReasonNotHonoured, leaversMessage(leavers)+
			". No worker of this QWorker has ever left on a grant. "+grantRemedies(granted, o.Tasks.Unseen))
	default:
		c = Is(kind, true, ReasonWaiting, leaversMessage(leavers))
	}
	return c, stillBusy, recheck
}

// grantRemedies says what can be done where workers do not honour their grants.
func grantRemedies(granted []Pod, unseen []string) string {
	bounded := !slices.ContainsFunc(granted, func(p Pod) bool { return p.MaxTaskDuration == 0 })
	hidden := slices.ContainsFunc(granted, func(p Pod) bool { return slices.Contains(unseen, p.Revision) })
	signal, bound := "set spec.drain.mode: Signal", "QScaler deletes a worker that has held its grant for spec.drain.maxTaskDuration"
	if !bounded {
		signal += " and spec.drain.maxTaskDuration, the longest that a task takes"
		bound = "With spec.drain.mode Grant, spec.drain.maxTaskDuration bounds how long workers that are created from then on may have a grant"
	}
	if hidden {
		signal += ". Signal also needs spec.drain.mayEndUnseenTasks: true, because QScaler has seen none of these workers with a task. A task that takes longer than the grace period is then interrupted"
	}
	return fmt.Sprintf("A worker must exit with code 0 when the file /etc/qscaler/drain is not empty. "+
		"If your worker shuts down well on SIGTERM, %s. %s. To let these workers go now, delete their pods: they get SIGTERM and their grace period", signal, bound)
}

// leaversMessage names those who leave, the one who was told first before the others.
func leaversMessage(leavers []leaver) string {
	slices.SortStableFunc(leavers, func(a, b leaver) int {
		if a.since.IsZero() != b.since.IsZero() {
			return -a.since.Compare(b.since)
		}
		return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.name, b.name))
	})
	names := make([]string, len(leavers))
	for i, l := range leavers {
		names[i] = l.name
	}
	oldest := leavers[0]
	since := "since an unknown time"
	switch {
	case oldest.since.IsZero():
	case len(leavers) == 1:
		since = "since " + oldest.since.UTC().Format(time.RFC3339)
	default:
		since = "the first since " + oldest.since.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("%s: %s; %s (%s)",
		words.HowMany(len(leavers), "worker leaves after its task", "workers leave after their tasks"), words.AndMore(names), since, oldest.why)
}

// ignoringOf reports whether a worker has had a grant for long and does not seem to know, in a fleet in which none has
// ever left on a grant. One that is known to be busy finishes its task, as it should, and has its time from then on.
func ignoringOf(now time.Time, granted []Pod, before map[string]time.Time) (ignoring bool, busy map[string]time.Time, recheck time.Time) {
	busy = map[string]time.Time{}
	for _, p := range granted {
		since := p.Grant.Since
		if last, seen := before[p.Name]; seen {
			busy[p.Name], since = last, last
		}
		switch at := since.Add(notHonouredAfter); {
		case p.Work == planner.Busy:
			busy[p.Name] = now
		case since.IsZero():
		case now.Before(at):
			recheck = earliest(recheck, at)
		default:
			ignoring = true
		}
	}
	return ignoring, busy, recheck
}

// earliest is the earlier of two times, of which zero is never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
