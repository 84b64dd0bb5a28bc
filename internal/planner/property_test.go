package planner

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/quickube/qscaler/internal/propertytest"
	"github.com/quickube/qscaler/worker/contract"
)

// anyFleet draws a fleet in any state, possible or not.
func anyFleet(t *rapid.T) Fleet {
	revisions := rapid.SampledFrom([]string{"r1", "r2", "r3"})
	f := Fleet{
		Now:        t0,
		Desired:    rapid.IntRange(0, 12).Draw(t, "desired"),
		Finishing:  rapid.IntRange(0, 2).Draw(t, "finishing"),
		DepthKnown: rapid.Bool().Draw(t, "depthKnown"),
		Deleting:   rapid.IntRange(0, 9).Draw(t, "deleting") == 0,
		Published:  rapid.SampledFrom([]string{"", "r1", "r2"}).Draw(t, "published"),
		Proven:     rapid.Bool().Draw(t, "proven"),
		Newest:     revisions.Draw(t, "newest"),
		Tried:      rapid.Bool().Draw(t, "tried"),
		Rollout:    anyRollout(t),

		NewestBarred: rapid.IntRange(0, 9).Draw(t, "newestUnread") == 0,
	}
	if rapid.IntRange(0, 9).Draw(t, "uncreatable") == 0 {
		f.Uncreatable = map[string]string{revisions.Draw(t, "uncreatable revision"): "there is no ScalerConfig"}
	}
	if rapid.IntRange(0, 4).Draw(t, "creation failed") == 0 {
		until := t0.Add(time.Duration(rapid.IntRange(-2, 2).Draw(t, "until")) * time.Second)
		f.FailedCreations = map[string]FailedCreation{revisions.Draw(t, "revision that failed"): {RetryAt: until, Refused: rapid.Bool().Draw(t, "refused")}}
	}
	f.Finishing = min(f.Finishing, f.Desired)
	apart := f.Published != "" && f.Newest != f.Published && rapid.IntRange(0, 2).Draw(t, "apart") == 0
	if apart {
		f.NewestDesired = rapid.IntRange(0, 12).Draw(t, "newestDesired")
	}
	others := rapid.IntRange(0, 2).Draw(t, "others are elsewhere") == 0
	if rapid.Bool().Draw(t, "excess") {
		f.ExcessSince = t0.Add(-time.Duration(rapid.IntRange(0, 60).Draw(t, "excessFor")) * time.Second)
	}
	for i := range rapid.IntRange(0, 16).Draw(t, "pods") {
		w := makeWorker(fmt.Sprintf("p%d", i)).of(revisions.Draw(t, "revision")).
			age(time.Duration(rapid.IntRange(0, 3600).Draw(t, "age")) * time.Second)
		w.Elsewhere = (apart && w.Revision == f.Newest) || (others && w.Revision != f.Newest && w.Revision != f.Published)
		w.Work = rapid.SampledFrom([]Work{Unknown, Idle, Busy}).Draw(t, "work")
		w.Ready = rapid.Bool().Draw(t, "ready")
		w = w.readyFor(time.Duration(rapid.IntRange(0, 20).Draw(t, "readyFor")) * time.Second)
		w.NodeLeaving = rapid.IntRange(0, 4).Draw(t, "nodeLeaving") == 0
		w.OldPassword = rapid.IntRange(0, 4).Draw(t, "oldPassword") == 0
		w.Unreachable = rapid.IntRange(0, 9).Draw(t, "unreachable") == 0
		if rapid.Bool().Draw(t, "bounded") {
			w.MaxTaskDuration = time.Hour
		}
		w.Signalled = rapid.IntRange(0, 4).Draw(t, "signalled") == 0
		w = w.phase(rapid.SampledFrom([]Phase{Pending, Running, Running, Running, Terminating, Left}).Draw(t, "phase"))
		if rapid.IntRange(0, 2).Draw(t, "granted") == 0 {
			reason := rapid.SampledFrom([]contract.Reason{contract.ReasonScaleDown, contract.ReasonRollout, contract.ReasonNodeDrain, contract.ReasonDelete}).Draw(t, "reason")
			w = w.granted(reason, time.Duration(rapid.IntRange(0, 7200).Draw(t, "for"))*time.Second)
		}
		if w.Phase == Pending && rapid.Bool().Draw(t, "stuck") {
			w.Trouble = "Unschedulable"
		}
		if w.Phase == Pending && rapid.Bool().Draw(t, "down") {
			w = w.down(time.Duration(rapid.IntRange(0, 120).Draw(t, "downFor")) * time.Second)
		}
		if rapid.IntRange(0, 3).Draw(t, "unfit") == 0 { // of whatever phase: only who is not running can be unfit
			w.Unfit = noRoom
		}
		w.Stays = w.Signalled && w.live() && w.Work == Unknown && w.Unfit == "" && rapid.Bool().Draw(t, "stays")
		if w.Phase == Left {
			w.Ended, w.Reclaimed = rapid.Bool().Draw(t, "ended"), rapid.Bool().Draw(t, "settled")
			if rapid.Bool().Draw(t, "failed") {
				w.Failure = Failure{Level: rapid.IntRange(0, 5).Draw(t, "level"), At: t0.Add(-time.Duration(rapid.IntRange(0, 900).Draw(t, "failedAgo")) * time.Second)}
			}
		}
		f.Pods = append(f.Pods, w.Pod)
	}
	return f
}

func anyRollout(t *rapid.T) Rollout {
	amounts := rapid.SampledFrom([]Amount{Pods(0), Pods(1), Pods(3), Percent(25), Percent(50), Percent(100)})
	return Rollout{
		Surge:       amounts.Draw(t, "surge"),
		Unavailable: amounts.Draw(t, "unavailable"),
		MinReady:    time.Duration(rapid.IntRange(0, 15).Draw(t, "minReady")) * time.Second,
		Deadline:    10 * time.Minute,
		Paused:      rapid.IntRange(0, 4).Draw(t, "paused") == 0,
	}
}

// letGo counts the pods that match and are let go for a reason.
func letGo(f Fleet, d Decision, reason contract.Reason, match func(Pod) bool) int {
	n := 0
	for _, a := range d.Actions {
		i := slices.IndexFunc(f.Pods, func(p Pod) bool { return p.Name == a.Pod })
		if (a.Kind == GrantLeave || a.Kind == SignalLeave) && a.Grant == reason && i >= 0 && !f.Pods[i].granted() && match(f.Pods[i]) {
			n++
		}
	}
	return n
}

// carriedOut is the fleet as it is observed once the plan was carried out.
func carriedOut(f Fleet, d Decision) Fleet {
	after := f.after(d)
	after.created, after.Proven = 0, d.Proven // what is proven is stored
	for i := range after.Pods {
		if strings.HasPrefix(after.Pods[i].Name, "new-") {
			after.Pods[i].Name = fmt.Sprintf("created-%d", len(f.Pods)+i)
		}
	}
	return after
}

func anyPod(Pod) bool { return true }

// TestPlanProperties is what holds at any moment, for any fleet.
func TestPlanProperties(t *testing.T) {
	propertytest.Check(t, func(t *rapid.T) {
		f := anyFleet(t)
		d := Plan(f)
		t.Logf("%s\nactions: %v", picture(f), d.Actions)
		checkInvariants(t, f, d)
		checkLooks(t, f, d)
	})
}

// checkLooks checks that a look that the plan asks for is not followed by another at once: what it was for has then been
// dealt with, or waits for something else.
func checkLooks(t reporter, f Fleet, d Decision) {
	if d.RecheckAt.IsZero() {
		return
	}
	f = carriedOut(f, d)
	f.Now = d.RecheckAt
	if next := Plan(f); !next.RecheckAt.IsZero() && !next.RecheckAt.After(f.Now) {
		t.Errorf("at %v it asks for the next look at %v", f.Now, next.RecheckAt)
	}
}

// reporter is what a rapid.T and a testing.T have in common.
type reporter interface {
	Errorf(format string, args ...any)
}

// checkInvariants checks what holds of every plan.
func checkInvariants(t reporter, f Fleet, d Decision) {
	f = f.asKnown()
	after := carriedOut(f, d)
	surge, unavailable := f.budget()
	before, present := count(f.Pods, Pod.capacity), count(f.Pods, f.available)
	returned := count(f.Pods, func(p Pod) bool { return withdrawn(d)[p.Name] })
	if n := letGo(f, d, contract.ReasonScaleDown, anyPod); n > max(before+returned-f.Desired, 0) {
		t.Errorf("%d ScaleDown grants, the excess is %d and %d came back", n, before-f.Desired, returned)
	}
	back := count(f.Pods, func(p Pod) bool { return withdrawn(d)[p.Name] && f.steady(p) })
	// They leave whoever comes, because nobody asks for what they do.
	began := f
	began.Proven = d.Proven
	superseded := func(p Pod) bool { return (d.Stage == Canary || stageOf(began) == Canary) && f.supersededElsewhere(p) }
	replaced := letGo(f, d, contract.ReasonRollout, f.available) + letGo(f, d, contract.ReasonNodeDrain, f.available)
	if budget := max(present+back-f.Desired+unavailable, 0); replaced > budget {
		t.Errorf("%d available workers are let go to be replaced, the budget is %d", replaced, budget)
	}
	// Whoever is not ready and not known to be idle may be at a task, and is replaced at the pace of the others.
	hidden := func(p Pod) bool {
		return p.capacity() && p.Phase == Running && !f.available(p) && (p.Ready || p.Work != Idle) && !superseded(p)
	}
	atWork := letGo(f, d, contract.ReasonNodeDrain, hidden) + letGo(f, d, contract.ReasonRollout, func(p Pod) bool { return hidden(p) && (d.Stage == Rolling || p.Revision != f.Newest) })
	if budget := max(present+back+count(f.Pods, hidden)-f.Desired+unavailable, 0); !f.Deleting && atWork > budget {
		t.Errorf("%d workers that may be at a task are let go to be replaced, the budget is %d", atWork, budget)
	}
	if left := count(after.Pods, f.available); !f.Deleting && left < min(present, f.Desired-unavailable) {
		t.Errorf("%d available of %d desired, there were %d, and %d may be missing", left, f.Desired, present, unavailable)
	}
	if n := count(after.Pods, Pod.capacity); n > max(before, f.Desired+f.slack()+surge)+beyond(f, d) {
		t.Errorf("capacity went from %d to %d, desired %d and surge %d", before, n, f.Desired, surge)
	}
	if !f.DepthKnown && !f.Deleting {
		for _, a := range d.Actions {
			if (a.Kind == GrantLeave || a.Kind == WithdrawGrant) || (a.Kind == SignalLeave && letGo(f, d, a.Grant, anyPod) > 0) {
				t.Errorf("the queue cannot be read, and yet: %v", a)
			}
		}
	}
	if f.standsStill() && !f.Deleting && f.Published != "" && letGo(f, d, contract.ReasonRollout, func(p Pod) bool { return p.Revision != f.Newest && f.available(p) }) > 0 {
		t.Errorf("the rollout is stopped, and yet: %v", d.Actions)
	}
	if !d.RecheckAt.IsZero() && !d.RecheckAt.After(f.Now) {
		t.Errorf("at %v it asks for the next look at %v, which hides the one that matters", f.Now, d.RecheckAt)
	}
	for _, m := range d.Missing {
		if m.Pods <= 0 || m.Why == "" || m.Why != f.Uncreatable[m.Revision] {
			t.Errorf("it misses %+v, and what cannot be created is %v", m, f.Uncreatable)
		}
	}
	checkTargets(t, f, d)
	checkWithdrawals(t, f, d)
	checkIdleFirst(t, f, d)
	if d.Publish == "" && !d.More {
		if again := Plan(after); len(again.Actions) > 0 {
			t.Errorf("a second plan is not empty: %v", again.Actions)
		}
	}
}

// beyond is how many pods there may be beyond the surge: those that cannot leave or do not count, and a canary, while the
// replacements of pods whose node is to go do not come up.
func beyond(f Fleet, d Decision) int {
	leaving := slices.ContainsFunc(f.Pods, func(p Pod) bool { return p.capacity() && f.displaced(p) })
	onTop := count(f.Pods, func(p Pod) bool { return p.capacity() && (p.Stays || f.supersededElsewhere(p)) })
	if surge, _ := f.budget(); surge == 0 && f.NewestDesired > 0 && !f.DepthKnown {
		onTop++
	}
	if d.Stage == Canary && leaving && new(Decision).replacementsFail(f, where(f.Pods, Pod.capacity)) {
		onTop++
	}
	return onTop
}

func withdrawn(d Decision) map[string]bool {
	names := map[string]bool{}
	for _, a := range d.Actions {
		if a.Kind == WithdrawGrant {
			names[a.Pod] = true
		}
	}
	return names
}

// checkWithdrawals checks that a grant that is taken back counts once: as a worker that need not be created.
func checkWithdrawals(t reporter, f Fleet, d Decision) {
	created, ordered, gone := 0, 0, 0
	for _, a := range d.Actions {
		switch a.Kind {
		case Create:
			created++
			if d.Stage != Canary || a.Revision != f.Newest {
				ordered++
			}
		case GrantLeave, SignalLeave, DeleteNotRunning, DeleteOverdue:
			if i := slices.IndexFunc(f.Pods, func(p Pod) bool { return p.Name == a.Pod }); f.Pods[i].capacity() {
				gone++
			}
		}
	}
	surge, _ := f.budget()
	if ordered > max(f.Desired+surge-f.Finishing, 0) {
		t.Errorf("%d are created, desired %d and surge %d, and %d are finished by others", ordered, f.Desired, surge, f.Finishing)
	}
	before := count(f.Pods, Pod.capacity)
	room := max(f.Desired+f.slack()+surge, before) + beyond(f, d) - (before - gone)
	if added := created + len(withdrawn(d)); added > room {
		t.Errorf("%d are created and %d come back, there is room for %d", created, len(withdrawn(d)), room)
	}
}

// checkIdleFirst checks that no busy worker is told to leave while an idle one of its likes stays, for whatever reason.
// There are two exceptions:
//
//   - An idle worker that is ready stays where an available worker would be missing without it. The busy one, which is
//     not ready, is not missed. Workers whose grant the plan withdraws do not count as available: they may have acted on
//     the grant already.
//   - A plan that publishes is not complete, and keeps the canary that proves the revision.
func checkIdleFirst(t reporter, f Fleet, d Decision) {
	if d.Publish != "" {
		return
	}
	after := carriedOut(f, d)
	_, unavailable := f.budget()
	back := withdrawn(d)
	available := count(after.Pods, func(p Pod) bool { return f.available(p) && !back[p.Name] })
	for _, a := range d.Actions {
		i := slices.IndexFunc(f.Pods, func(p Pod) bool { return p.Name == a.Pod })
		told := a.Kind == GrantLeave || a.Kind == SignalLeave
		if !told || a.Grant == contract.ReasonDelete || f.Pods[i].granted() || f.Pods[i].Work != Busy {
			continue
		}
		p, needed := f.Pods[i], f.Desired
		if a.Grant != contract.ReasonScaleDown {
			needed -= unavailable
		}
		for _, q := range after.Pods {
			alike := q.Revision == p.Revision && q.NodeLeaving == p.NodeLeaving && q.OldPassword == p.OldPassword
			spared := f.available(q) && available <= needed
			if alike && q.capacity() && q.Phase == Running && q.Work == Idle && !spared {
				t.Errorf("%v, and %s, which is idle, stays; %d are available and %d needed", a, q.Name, available, needed)
			}
		}
	}
}

// checkTargets checks that each pod has one action at the most, of a kind that fits where the pod stands.
func checkTargets(t reporter, f Fleet, d Decision) {
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
			if why, uncreatable := f.Uncreatable[a.Revision]; uncreatable || f.Now.Before(f.FailedCreations[a.Revision].RetryAt) {
				t.Errorf("%v, which is not to be tried: %s", a, why)
			}
			continue
		}
		if seen[a.Pod] {
			t.Errorf("two actions on %s", a.Pod)
		}
		seen[a.Pod] = true
		fits := map[Kind]func(Pod) bool{
			GrantLeave:       func(p Pod) bool { return p.Phase == Running && !p.granted() && !p.Signalled },
			SignalLeave:      func(p Pod) bool { return p.Phase == Running && p.Signalled },
			WithdrawGrant:    func(p Pod) bool { return p.Phase == Running && p.granted() && p.Grant.Reason != contract.ReasonDelete },
			DeleteNotRunning: func(p Pod) bool { return p.Phase == Pending },
			DeleteOverdue:    func(p Pod) bool { return p.Phase == Running && p.granted() },
			Remove:           func(p Pod) bool { return p.Phase == Left && p.Reclaimed },
		}
		if pods[a.Pod].Stays && !f.Deleting {
			t.Errorf("%v, which stays", a)
		}
		if !fits[a.Kind](pods[a.Pod]) {
			t.Errorf("%v does not fit %+v", a, pods[a.Pod])
		}
	}
}

func TestIdleLeaveBeforeBusy(t *testing.T) {
	propertytest.Check(t, func(t *rapid.T) {
		f := steady(rapid.IntRange(0, 10).Draw(t, "desired"))
		for i := range rapid.IntRange(0, 15).Draw(t, "pods") {
			w := makeWorker(fmt.Sprintf("p%d", i)).age(time.Duration(i) * time.Second)
			w.Work = rapid.SampledFrom([]Work{Unknown, Idle, Busy}).Draw(t, "work")
			w.Ready = rapid.IntRange(0, 3).Draw(t, "unready") > 0
			f.Pods = append(f.Pods, w.Pod)
		}
		f.ExcessSince = t0.Add(-time.Duration(rapid.IntRange(0, 60).Draw(t, "excessFor")) * time.Second)
		after := carriedOut(f, Plan(f))
		stay := func(w Work) int {
			return count(after.Pods, func(p Pod) bool { return p.capacity() && p.Work == w })
		}
		left := func(w Work) int { return count(after.Pods, func(p Pod) bool { return p.granted() && p.Work == w }) }
		// A ready worker may stay though it is idle where no more ready ones than are needed would be left.
		needed := count(after.Pods, f.available) <= f.Desired
		for _, p := range after.Pods {
			for _, q := range after.Pods {
				spared := q.Ready && needed && !p.Ready
				if p.granted() && q.capacity() && disturbance(q) < disturbance(p) && !spared {
					t.Errorf("%s has a grant, whose work is %d, and %s of work %d stays", p.Name, p.Work, q.Name, q.Work)
				}
			}
		}
		if left(Busy) > 0 && f.Now.Before(f.ExcessSince.Add(sparesBusyFor)) {
			t.Errorf("%d busy workers have a grant at once, %d others stay", left(Busy), stay(Idle)+stay(Unknown))
		}
	})
}
