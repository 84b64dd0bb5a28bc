package planner

import (
	"fmt"
	"strings"
	"time"

	"github.com/quickube/qscaler/worker/contract"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// worker makes a Pod in a line: MakeWorker("a").Idle().Granted(...).
type worker struct{ Pod }

func makeWorker(name string) worker {
	return worker{Pod{Name: name, Revision: "r1", Phase: Running, Ready: true, Created: t0.Add(-time.Hour)}}
}

func (w worker) age(d time.Duration) worker { w.Created = t0.Add(-d); return w }
func (w worker) of(revision string) worker  { w.Revision = revision; return w }
func (w worker) signalled() worker          { w.Signalled = true; return w }
func (w worker) nodeLeaving() worker        { w.NodeLeaving = true; return w }
func (w worker) oldPassword() worker        { w.OldPassword = true; return w }
func (w worker) unreachable() worker        { w.Unreachable = true; return w }
func (w worker) idle() worker               { w.Work = Idle; return w }
func (w worker) busy() worker               { w.Work = Busy; return w }
func (w worker) phase(p Phase) worker       { w.Phase = p; w.Ready = w.Ready && p == Running; return w }

func (w worker) granted(r contract.Reason, ago time.Duration) worker {
	w.Grant = Grant{Reason: r, Since: t0.Add(-ago)}
	return w
}

func (w worker) limited(d time.Duration) worker {
	w.MaxTaskDuration = d
	return w
}

func (w worker) failed(level int, ago time.Duration) worker {
	w = w.phase(Left)
	w.Failure, w.Ended, w.Reclaimed = Failure{Level: level, At: t0.Add(-ago)}, true, true
	return w
}

func (w worker) unfit() worker { w = w.phase(Pending); w.Unfit = noRoom; return w }

func (w worker) settled() worker { w.Reclaimed = true; return w }

func workers(ws ...worker) []Pod {
	pods := make([]Pod, len(ws))
	for i, w := range ws {
		pods[i] = w.Pod
	}
	return pods
}

func (w worker) readyFor(d time.Duration) worker { w.ReadyChanged = t0.Add(-d); return w }

func (w worker) failing(trouble string) worker {
	w = w.phase(Pending)
	w.Trouble, w.Failing = trouble, true
	return w
}

// many makes n workers named prefix-0 and so on, each a second younger than the one before.
func many(prefix string, n int, shape func(worker) worker) []worker {
	ws := make([]worker, n)
	for i := range ws {
		w := makeWorker(fmt.Sprintf("%s-%d", prefix, i)).age(time.Hour - time.Duration(i)*time.Second)
		ws[i] = shape(w)
	}
	return ws
}

func steady(desired int, ws ...worker) Fleet {
	return Fleet{
		Now: t0, Desired: desired, DepthKnown: true,
		Published: "r1", Proven: true, Newest: "r1",
		Rollout: Rollout{Surge: Percent(25), Deadline: 10 * time.Minute},
		Pods:    workers(ws...),
	}
}

// with is the fleet, changed.
func (f Fleet) with(change func(*Fleet)) Fleet { change(&f); return f }

// to is the fleet with a spec that asks for another revision.
func (f Fleet) to(newest string) Fleet { f.Newest = newest; return f }

// published is the fleet half-way through its rollout.
func (f Fleet) published(revision string) Fleet { f.Published, f.Newest = revision, revision; return f }

// short writes actions as a test reads them: "create r1", "grant a ScaleDown".
func short(actions []Action) []string {
	var lines []string
	for _, a := range actions {
		switch a.Kind {
		case Create:
			lines = append(lines, "create "+a.Revision)
		case GrantLeave:
			lines = append(lines, fmt.Sprintf("grant %s %s", a.Pod, a.Grant))
		case SignalLeave:
			lines = append(lines, fmt.Sprintf("signal %s %s", a.Pod, a.Grant))
		case WithdrawGrant:
			lines = append(lines, "withdraw "+a.Pod)
		case DeleteNotRunning, DeleteOverdue:
			lines = append(lines, "delete "+a.Pod)
		case Remove:
			lines = append(lines, "remove "+a.Pod)
		}
	}
	return lines
}

// picture is a fleet as a person reads it.
func picture(f Fleet) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, desired %d and %d (known: %t), published %q (proven: %t, tried: %t), newest %q, rollout %+v", stageOf(f), f.Desired, f.NewestDesired, f.DepthKnown, f.Published, f.Proven, f.Tried, f.Newest, f.Rollout)
	for _, p := range f.Pods {
		fmt.Fprintf(&b, "\n  %s of %s: %v, ready %t since %s, work %v, grant %q", p.Name, p.Revision,
			[]string{"pending", "running", "terminating", "left"}[p.Phase], p.Ready, f.Now.Sub(p.ReadyChanged), []string{"unknown", "idle", "busy"}[p.Work], p.Grant.Reason)
		for flag, set := range map[string]bool{"signalled": p.Signalled, "node leaving": p.NodeLeaving, "old password": p.OldPassword, "unreachable": p.Unreachable, "unfit": p.Unfit != "", "elsewhere": p.Elsewhere, "stays": p.Stays} {
			if set {
				fmt.Fprintf(&b, ", %s", flag)
			}
		}
	}
	return b.String()
}

func (w worker) crashing() worker { w.Failing = true; return w }

func (w worker) troubled(words string) worker { w.Trouble = words; return w }

func (w worker) unready() worker { w.Phase, w.Ready = Running, false; return w }
