package planner

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/quickube/qscaler/worker/contract"
)

// anyFleet draws a fleet in any state, possible or not.
func anyFleet(t *rapid.T) Fleet {
	revisions := rapid.SampledFrom([]string{"r1", "r2", "r3"})
	f := Fleet{
		Now:        t0,
		Desired:    rapid.IntRange(0, 12).Draw(t, "desired"),
		DepthKnown: rapid.Bool().Draw(t, "depthKnown"),
		Deleting:   rapid.IntRange(0, 9).Draw(t, "deleting") == 0,
		Published:  rapid.SampledFrom([]string{"", "r1", "r2"}).Draw(t, "published"),
		Proven:     rapid.Bool().Draw(t, "proven"),
		Newest:     revisions.Draw(t, "newest"),
	}
	if rapid.Bool().Draw(t, "bounded") {
		f.MaxTaskDuration = time.Hour
	}
	if rapid.Bool().Draw(t, "excess") {
		f.ExcessSince = t0.Add(-time.Duration(rapid.IntRange(0, 60).Draw(t, "excessFor")) * time.Second)
	}
	for i := range rapid.IntRange(0, 16).Draw(t, "pods") {
		w := makeWorker(fmt.Sprintf("p%d", i)).of(revisions.Draw(t, "revision")).
			age(time.Duration(rapid.IntRange(0, 3600).Draw(t, "age")) * time.Second)
		w.Work = rapid.SampledFrom([]Work{Unknown, Idle, Busy}).Draw(t, "work")
		w.Ready = rapid.Bool().Draw(t, "ready")
		w = w.phase(rapid.SampledFrom([]Phase{Pending, Running, Running, Running, Terminating, Left}).Draw(t, "phase"))
		if rapid.IntRange(0, 2).Draw(t, "granted") == 0 {
			reason := rapid.SampledFrom([]contract.Reason{contract.ReasonScaleDown, contract.ReasonRollout, contract.ReasonDelete}).Draw(t, "reason")
			w = w.granted(reason, time.Duration(rapid.IntRange(0, 7200).Draw(t, "for"))*time.Second)
		}
		if w.Phase == Left {
			w.Ended, w.Settled = rapid.Bool().Draw(t, "ended"), rapid.Bool().Draw(t, "settled")
			if rapid.Bool().Draw(t, "failed") {
				w.Failure = Failure{Level: rapid.IntRange(0, 5).Draw(t, "level"), At: t0.Add(-time.Duration(rapid.IntRange(0, 900).Draw(t, "failedAgo")) * time.Second)}
			}
		}
		f.Pods = append(f.Pods, w.Pod)
	}
	return f
}

func granted(d Decision, reason contract.Reason) int {
	n := 0
	for _, a := range d.Actions {
		if a.Kind == GrantLeave && a.Grant == reason {
			n++
		}
	}
	return n
}

func TestPlanProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyFleet(t)
		d := Plan(f)
		after := f.after(d)
		t.Logf("actions: %v", d.Actions)

		before := count(f.Pods, Pod.capacity)
		if n := granted(d, contract.ReasonScaleDown); n > max(before-f.Desired, 0) {
			t.Errorf("%d ScaleDown grants, the excess is %d", n, before-f.Desired)
		}
		available, left := count(f.Pods, Pod.available), count(after.Pods, Pod.available)
		if !f.Deleting && left < min(available, f.Desired) {
			t.Errorf("%d available of %d desired, there were %d", left, f.Desired, available)
		}
		if n := count(after.Pods, Pod.capacity); n > max(before, f.Desired+surge(f.Desired)) {
			t.Errorf("capacity went from %d to %d, desired %d and surge %d", before, n, f.Desired, surge(f.Desired))
		}
		if !f.DepthKnown && !f.Deleting {
			for _, a := range d.Actions {
				if a.Kind == GrantLeave || a.Kind == WithdrawGrant {
					t.Errorf("the queue cannot be read, and yet: %v", a)
				}
			}
		}
		checkTargets(t, f, d)
		if d.Publish == "" {
			if again := Plan(after); len(again.Actions) > 0 {
				t.Errorf("a second plan is not empty: %v", again.Actions)
			}
		}
	})
}

// checkTargets checks that each pod has one action at the most, of a kind that fits where the pod stands.
func checkTargets(t *rapid.T, f Fleet, d Decision) {
	pods := map[string]Pod{}
	for _, p := range f.Pods {
		pods[p.Name] = p
	}
	seen := map[string]bool{}
	for _, a := range d.Actions {
		if a.Why == "" {
			t.Errorf("no reason for %v", a)
		}
		if a.Kind == Create {
			continue
		}
		if seen[a.Pod] {
			t.Errorf("two actions on %s", a.Pod)
		}
		seen[a.Pod] = true
		fits := map[Kind]func(Pod) bool{
			GrantLeave:       func(p Pod) bool { return p.Phase == Running && !p.granted() },
			WithdrawGrant:    func(p Pod) bool { return p.Phase == Running && p.granted() && p.Grant.Reason != contract.ReasonDelete },
			DeleteNotRunning: func(p Pod) bool { return p.Phase == Pending },
			DeleteOverdue:    func(p Pod) bool { return p.Phase == Running && p.granted() },
			Remove:           func(p Pod) bool { return p.Phase == Left && p.Settled },
		}
		if !fits[a.Kind](pods[a.Pod]) {
			t.Errorf("%v does not fit %+v", a, pods[a.Pod])
		}
	}
}

func TestIdleLeaveBeforeBusy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := steady(rapid.IntRange(0, 10).Draw(t, "desired"))
		for i := range rapid.IntRange(0, 15).Draw(t, "pods") {
			w := makeWorker(fmt.Sprintf("p%d", i)).age(time.Duration(i) * time.Second)
			w.Work = rapid.SampledFrom([]Work{Unknown, Idle, Busy}).Draw(t, "work")
			f.Pods = append(f.Pods, w.Pod)
		}
		f.ExcessSince = t0.Add(-time.Duration(rapid.IntRange(0, 60).Draw(t, "excessFor")) * time.Second)
		after := f.after(Plan(f))
		stay := func(w Work) int {
			return count(after.Pods, func(p Pod) bool { return p.capacity() && p.Work == w })
		}
		left := func(w Work) int { return count(after.Pods, func(p Pod) bool { return p.granted() && p.Work == w }) }
		if left(Busy) > 0 && stay(Idle)+stay(Unknown) > 0 {
			t.Errorf("%d busy workers have leave while %d others stay", left(Busy), stay(Idle)+stay(Unknown))
		}
		if left(Unknown) > 0 && stay(Idle) > 0 {
			t.Errorf("%d workers of unknown work have leave while %d idle ones stay", left(Unknown), stay(Idle))
		}
	})
}
