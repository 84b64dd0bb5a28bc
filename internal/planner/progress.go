package planner

import (
	"fmt"
	"slices"
	"time"
)

// Obstacle is why a rollout does not go on by itself; the zero Obstacle is none.
type Obstacle struct {
	Reason ObstacleReason
	// Pod is one of the newest revision that has the trouble.
	Pod string
	// Message says what it is, in the cluster's words.
	Message string
}

// ObstacleReason is the kind of an Obstacle, in a word.
type ObstacleReason string

// The reasons.
const (
	// CanaryFailing means that pods of a revision that is not published crash or cannot be started.
	CanaryFailing ObstacleReason = "CanaryFailing"
	// WorkersFailing means the same of a revision that is published, and of which no pod is available.
	WorkersFailing ObstacleReason = "WorkersFailing"
	// DeadlineExceeded means that a pod of the newest revision has not become available in time.
	DeadlineExceeded ObstacleReason = "ProgressDeadlineExceeded"
)

// watchProgress looks for what keeps the newest revision from taking over. Only pods of it are looked at, and
// how long they have been there: that older ones finish long tasks is never a lack of progress.
func (d *Decision) watchProgress(f Fleet) {
	if slices.ContainsFunc(f.Pods, f.displaced) && !f.Deleting {
		d.awaitReplacements(f)
	}
	if (d.Stage == Settled && d.Proven) || f.standsStill() || f.Deleting {
		return
	}
	newer := where(f.Pods, func(p Pod) bool { return p.capacity() && p.Revision == f.Newest })
	slices.SortFunc(newer, func(a, b Pod) int { return a.Created.Compare(b.Created) })
	d.Obstacle = failing(f, d.Stage)
	// Before the newest revision has proven itself, none of its pods was ever available.
	worked := d.Proven && f.Published == f.Newest
	for _, p := range newer {
		if f.available(p) {
			continue
		}
		ready := p.Ready && p.Phase == Running
		if ready {
			d.recheckAt(f.steadyAt(p))
		}
		if f.Rollout.Deadline == 0 || (worked && (ready || p.Work == Busy)) {
			continue
		}
		// A pod that is ready now and then has its time from its creation on.
		since := p.Created
		if worked {
			since = latest(since, p.ReadyChanged)
		}
		at := since.Add(f.Rollout.Deadline)
		if at.After(f.Now) {
			d.recheckAt(at)
			continue
		}
		d.Obstacle = Obstacle{Reason: DeadlineExceeded, Pod: p.Name, Message: orElse(p.Trouble, unreadyWords(ready))}
		return
	}
}

// awaitReplacements has the fleet be looked at when a pod that is ready has been so for long enough: the next whose node
// is to go may leave then, also where no rollout is under way.
func (d *Decision) awaitReplacements(f Fleet) {
	for _, p := range f.Pods {
		if p.capacity() && p.Phase == Running && p.Ready && !f.steady(p) {
			d.recheckAt(f.steadyAt(p))
		}
	}
}

func unreadyWords(ready bool) string {
	if ready {
		return "it does not stay ready"
	}
	return "it is not ready, and does not say why"
}

// failing is the trouble of pods that the newest revision itself makes: of canaries, and of those that are to take
// over as long as none of them is available.
func failing(f Fleet, stage Stage) Obstacle {
	reason := CanaryFailing
	if stage != Canary {
		reason = WorkersFailing
	}
	works := slices.ContainsFunc(f.Pods, func(p Pod) bool { return p.Revision == f.Newest && f.available(p) })
	if stage == Settled || (stage == Rolling && works) {
		return Obstacle{}
	}
	for _, p := range f.Pods {
		if p.Revision == f.Newest && p.capacity() && p.Failing && !f.available(p) {
			return Obstacle{Reason: reason, Pod: p.Name, Message: p.Trouble}
		}
	}
	b := backOffFor(f.Newest, f)
	for _, p := range f.Pods {
		if b.Level > 0 && p.Revision == f.Newest && p.Failure.Level == b.Level {
			message := fmt.Sprintf("%s, %d in a row; the next is created at %s", orElse(p.Trouble, "it ended"), b.Level, b.Until.UTC().Format(time.RFC3339))
			return Obstacle{Reason: reason, Pod: p.Name, Message: message}
		}
	}
	return Obstacle{}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
