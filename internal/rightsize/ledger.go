package rightsize

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"
)

// ledger has the kills that were counted, and what came of them.
type ledger struct {
	// counted has the marks of the kills that pods still tell of, and when each was.
	counted map[string]time.Time
	// before is the time up to which all kills were counted, those included whose marks were too many to keep.
	before time.Time
	// last is when the container of a pod was last killed.
	last   map[place]time.Time
	raises []time.Time
	// troubles are the kills of the last hour that raised nothing though they should have.
	troubles []Trouble
}

// Trouble is the latest kill of a pod that raised nothing because of a bound.
type Trouble struct {
	Pod    string
	Result KillResult
	At     time.Time
}

func newLedger() ledger {
	return ledger{counted: map[string]time.Time{}, last: map[place]time.Time{}}
}

// mark names a kill in few bytes: by its time, or by the restart count where that is not told. The count of a
// run is read in more than one way while a pod's sandbox is made anew.
func mark(k Kill) string {
	sum := fnv.New64a()
	run := int64(k.Restarts)
	if !k.FinishedAt.IsZero() {
		run = k.FinishedAt.Unix()
	}
	fmt.Fprintf(sum, "%s/%s/%d", k.PodUID, k.Container, run)
	return fmt.Sprintf("%016x", sum.Sum64())
}

func (k Kill) when(now time.Time) time.Time {
	if k.FinishedAt.IsZero() {
		return now
	}
	return k.FinishedAt
}

func (l *ledger) count(k Kill, now time.Time) bool {
	m := mark(k)
	if _, counted := l.counted[m]; counted || (!k.FinishedAt.IsZero() && !k.FinishedAt.After(l.before)) {
		return false
	}
	l.counted[m] = k.when(now)
	return true
}

// noteEarlier remembers a kill that an earlier process has counted, so that the next of the same container is known to follow
// it.
func (l *ledger) noteEarlier(at place, k Kill) {
	if l.last[at].IsZero() && !k.FinishedAt.IsZero() {
		l.last[at] = k.FinishedAt
	}
}

// again reports whether the same container was killed within the hour before, and remembers this kill.
func (l *ledger) again(at place, now time.Time) bool {
	last, before := l.last[at]
	l.last[at] = now
	return before && now.Sub(last) < repeatedWithin
}

func (l *ledger) capped(now time.Time) bool {
	hour, day := 0, 0
	for _, t := range l.raises {
		if now.Sub(t) < 24*time.Hour {
			day++
		}
		if now.Sub(t) < time.Hour {
			hour++
		}
	}
	return hour >= raisesPerHour || day >= raisesPerDay
}

func (l *ledger) trouble(k Kill, v KillResult, now time.Time) {
	l.troubles = slices.DeleteFunc(l.troubles, func(t Trouble) bool { return t.Pod == k.Pod && t.Result == v })
	l.troubles = append(l.troubles, Trouble{Pod: k.Pod, Result: v, At: now})
}

// KeepKills forgets what is past: marks of kills that no pod tells of any more, and what is older than a day.
func (h *History) KeepKills(told []Kill, now time.Time) {
	marks, places := map[string]bool{}, map[place]bool{}
	for _, k := range told {
		marks[mark(k)] = true
		places[place{k.Pod, k.Container}] = true
	}
	l := &h.kills
	for m := range l.counted {
		if !marks[m] {
			delete(l.counted, m)
		}
	}
	for _, k := range told {
		if m := mark(k); !l.counted[m].IsZero() {
			l.counted[m] = k.when(l.counted[m]) // a checkpoint does not have it
		}
	}
	for at := range l.last {
		if !places[at] {
			delete(l.last, at)
		}
	}
	l.raises = slices.DeleteFunc(l.raises, func(t time.Time) bool { return now.Sub(t) >= 24*time.Hour || t.After(now) })
	l.troubles = slices.DeleteFunc(l.troubles, func(t Trouble) bool { return now.Sub(t.At) >= time.Hour })
}

// Troubles are the kills of the last hour that raised nothing because of a bound.
func (h *History) Troubles() []Trouble { return slices.Clone(h.kills.troubles) }
