package qworker

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/controller/qworker/report"
	"github.com/quickube/qscaler/internal/controller/words"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/recovery"
	"github.com/quickube/qscaler/internal/revision"
)

// deadWorkers is how it stands, as of the beginning of the round, with the tasks of workers that have died.
type deadWorkers struct {
	recovery.Snapshot
	// mode says whether their tasks are ours to reclaim.
	mode     recovery.Mode
	deleting bool
	// qw is whose they are.
	qw *v1alpha1.QWorker
	// began is how many pods there were at the beginning of the round.
	began int
	// neverRead is true where no queue was ever read, by this process or an earlier one: nobody is known to have worked.
	neverRead bool
	// ended is true where no worker is left whose pod has not ended.
	ended bool
	// searchGivenUp is true where a deleted QWorker does not wait any more for the search of its present queue, which
	// fails, and returnsGivenUp where it does not for the return of any tasks. waitOver is true where it waits for no search
	// at all, and waitsUntil is when that is so, zero while that is not known.
	searchGivenUp, returnsGivenUp, waitOver bool
	waitsUntil                              time.Time
	// givenUp are the workers for the return of whose tasks it does not wait any more, while it waits for that of others.
	givenUp []string
}

// reclaims reports whether the tasks of dead workers are ours to reclaim.
func (d *deadWorkers) reclaims() bool {
	return d.mode == recovery.Active || d.mode == recovery.Suspended
}

// gone are the workers whose pods are gone, until nothing can turn up under their names any more.
func (d *deadWorkers) gone() []recovery.Dead {
	return slices.DeleteFunc(slices.Clone(d.Dead), func(w recovery.Dead) bool { return !w.IsGone() })
}

// returned are the workers that are gone and whose tasks were returned.
func (d *deadWorkers) returned() []string {
	var names []string
	for _, w := range d.Dead {
		if w.State == recovery.Lingering {
			names = append(names, w.Worker)
		}
	}
	return names
}

// awaited are the workers that are gone, whose tasks were returned, and whose lists, among those of a watch, are looked at
// until nothing can turn up there any more. No reading has to wake anybody for those that are yet to be returned: that
// goes on by itself, and somebody who invents such lists would have the fleet reconciled at each reading.
func (d *deadWorkers) awaited(ofWatch func(hash string) bool) []string {
	var names []string
	for _, w := range d.Dead {
		if w.State == recovery.Lingering && ofWatch(w.Revision) {
			names = append(names, w.Worker)
		}
	}
	return names
}

// isReclaimed reports whether the tasks of a pod that has left are returned, or nobody is to reclaim them. Where a sidecar
// still runs, the pod is deleted first and its tasks are reclaimed once it is gone. What is held under a name that the
// operator has not made may be another's, whoever has made the pod.
func (d *deadWorkers) isReclaimed(pod *corev1.Pod) bool {
	if !fleet.Ended(pod) || !d.reclaims() || d.neverRead || d.returnsGivenUp || !revision.IsPodName(d.qw, pod.Name) {
		return true
	}
	w, _ := d.Of(pod.Name)
	return w.IsReturned() || d.isGivenUp(pod.Name)
}

// isGivenUp reports whether the QWorker does not wait any more for the return of a worker's tasks.
func (d *deadWorkers) isGivenUp(worker string) bool {
	return d.returnsGivenUp || slices.Contains(d.givenUp, worker)
}

// mayRemove reports whether a pod that has left may be removed. Where its tasks cannot be reclaimed, it does not stay for
// that: pods that have ended would pile up. What it holds is in its list, which is known without it. Where nobody knows at
// which queue it worked, it stays: nothing else may say that.
func (d *deadWorkers) mayRemove(pod *corev1.Pod) bool {
	if d.isReclaimed(pod) {
		return true
	}
	w, _ := d.Of(pod.Name)
	return w.IsFailing()
}

// failing are the workers whose tasks cannot be returned, and why not for the first.
func (d *deadWorkers) failing() (names []string, why error) {
	for _, w := range d.Dead {
		if w.IsFailing() {
			names = append(names, w.Worker)
			if why == nil {
				why = w.Err
			}
		}
	}
	return names, why
}

// unplaced are the workers of which nobody knows at which queue they worked, and whose tasks are not returned therefore.
func (d *deadWorkers) unplaced() (names []string) {
	for _, w := range d.Dead {
		if w.Unplaced && !w.IsReturned() {
			names = append(names, w.Worker)
		}
	}
	return names
}

// searchErr is why a search fails again and again, nil where none does.
func (d *deadWorkers) searchErr() error {
	for _, search := range d.Searches {
		if search.Failed {
			return search.Err
		}
	}
	return nil
}

// presentSearchErr is why the search of the present queue fails again and again, nil where it does not.
func (d *deadWorkers) presentSearchErr() error {
	if len(d.Searches) == 0 || d.Searches[0].Former || !d.Searches[0].Failed {
		return nil
	}
	return d.Searches[0].Err
}

// outstanding counts the workers whose tasks have yet to be reclaimed before the QWorker may go: those that are gone, and
// of the pods that are there those that have ended.
func (d *deadWorkers) outstanding(pods []*corev1.Pod) int {
	if d.neverRead || d.returnsGivenUp || !d.reclaims() {
		return 0
	}
	n := 0
	for _, w := range d.gone() {
		if !w.IsReturned() && !d.isGivenUp(w.Worker) {
			n++
		}
	}
	for _, pod := range pods {
		if !d.isReclaimed(pod) {
			n++
		}
	}
	return n
}

// awaitedSearch is the first search that a deleted QWorker waits for, nil where there is none: nobody knows yet what died
// there before this process began. It waits for no former place that cannot be searched, since the broker may not be there
// any more, and not for the present one once that is given up.
func (d *deadWorkers) awaitedSearch() *recovery.Search {
	if !d.deleting || d.neverRead || d.waitOver {
		return nil
	}
	for i, search := range d.Searches {
		if search.Err == nil || (!search.Former && !d.searchGivenUp) {
			return &d.Searches[i]
		}
	}
	return nil
}

// owesNothing reports whether the queue has back, as far as can be known, what dead workers had of it.
func (d *deadWorkers) owesNothing(pods []*corev1.Pod) bool {
	return d.outstanding(pods) == 0 && d.awaitedSearch() == nil
}

// needs reports whether what a revision says is needed for what turns up in the lists of dead workers.
func (d *deadWorkers) needs(hash string) bool {
	ofGone := slices.ContainsFunc(d.Dead, func(w recovery.Dead) bool { return w.IsGone() && w.Revision == hash })
	return ofGone || slices.ContainsFunc(d.Searches, func(o recovery.Search) bool { return o.Place.Revision == hash })
}

// abandoned are the workers whose tasks nobody can reclaim, or the QWorker does not wait for any more.
func (d *deadWorkers) abandoned() []string {
	if d.neverRead {
		return nil
	}
	var names []string
	for _, w := range d.gone() {
		if !w.IsReturned() && (d.mode == recovery.Abandoned || d.isGivenUp(w.Worker)) {
			names = append(names, w.Worker)
		}
	}
	return names
}

// reported is what is said of it; holdup is why it takes so long.
func (d *deadWorkers) reported(pods []*corev1.Pod, holdup error) report.Recovery {
	workers, why := d.failing()
	told := report.Recovery{Unplaced: d.unplaced(), Failing: workers, Why: words.TextOf(why), SearchFailed: words.TextOf(d.searchErr()), UnknownHolders: reportedUnknownHolders(d.UnknownHolders)}
	if !d.deleting {
		return told
	}
	told.WaitsUntil = d.waitsUntil
	if told.Outstanding = d.outstanding(pods); told.Outstanding > 0 {
		told.Holdup = words.TextOf(holdup)
	}
	if search := d.awaitedSearch(); search != nil {
		told.Searching, told.SearchHoldup = true, words.TextOf(search.Err)
	}
	return told
}

// mostNamed is how many unknown holders are named.
const mostNamed = 3

// reportedUnknownHolders has the names as a person may read them: whoever may write to the broker chooses them.
func reportedUnknownHolders(s recovery.UnknownHolders) *report.UnknownHolders {
	if !s.Known {
		return nil
	}
	told := &report.UnknownHolders{Workers: int64(s.Lists), Tasks: s.Tasks}
	for _, name := range s.Workers[:min(len(s.Workers), mostNamed)] {
		told.Names = append(told.Names, broker.Words(name, broker.Secret{}))
	}
	return told
}
