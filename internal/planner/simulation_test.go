package planner

import (
	"flag"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden from what the simulations do now")

// world is a cluster, a broker and an operator in which a second is a tick. Pods start after two seconds,
// workers take tasks, finish them, and leave when they are told to and have none.
type world struct {
	now     time.Time
	tick    int
	next    int
	queue   []int // the lengths of the waiting tasks, in seconds
	pods    []*simPod
	broken  map[string]bool // revisions whose pods never run
	blind   bool            // the broker does not answer
	spec    Fleet
	scale   Range
	delay   time.Duration
	window  Window
	excess  time.Time
	desired int
	done    int
	log     strings.Builder
	last    string
}

type simPod struct {
	Pod
	starts int // ticks until it runs
	task   int // seconds left of the task in hand
}

func newWorld(minimum, maximum int) *world {
	return &world{
		now: t0, broken: map[string]bool{}, delay: 5 * time.Second,
		spec: Fleet{Newest: "r1", Rollout: Rollout{Surge: Percent(25), Deadline: 20 * time.Second}}, scale: Range{minimum, maximum, big.NewRat(1, 1)},
	}
}

func (w *world) push(n, seconds int) {
	for range n {
		w.queue = append(w.queue, seconds)
	}
	w.note("push %d tasks of %ds", n, seconds)
}

func (w *world) note(format string, args ...any) {
	fmt.Fprintf(&w.log, "%3ds  -- %s\n", w.tick, fmt.Sprintf(format, args...))
}

// restartOperator loses all that is not in the cluster; the window is seeded from the status.
func (w *world) restartOperator() {
	w.window, w.excess = Window{}, time.Time{}
	w.window.Add(w.now, int64(w.desired), w.delay)
	w.note("the operator restarts")
}

func (w *world) run(seconds int) {
	for range seconds {
		w.work()
		w.reconcile()
		w.tick++
		w.now = w.now.Add(time.Second)
	}
}

// work is a second of the workers' lives.
func (w *world) work() {
	for _, p := range w.pods {
		if p.Phase == Pending && !w.broken[p.Revision] {
			if p.starts--; p.starts <= 0 {
				p.Phase, p.Ready = Running, true
			}
			continue
		}
		if p.Phase == Terminating {
			p.Phase, p.Ended, p.Settled = Left, true, true
		}
		if p.Phase != Running {
			continue
		}
		if p.task > 0 {
			if p.task--; p.task == 0 {
				w.done++
			}
		}
		switch {
		case p.task > 0:
		case p.granted():
			p.Phase, p.Ready, p.Ended, p.Settled = Left, false, true, true
		case len(w.queue) > 0:
			p.task, w.queue = w.queue[0], w.queue[1:]
		}
	}
}

// reconcile is what the operator does in that second.
func (w *world) reconcile() {
	f := w.spec
	f.Now, f.DepthKnown, f.ExcessSince = w.now, !w.blind, w.excess
	messages := int64(len(w.queue))
	for _, p := range w.pods {
		if p.task > 0 && !p.granted() {
			messages++
		}
		p.Work = Idle
		if p.task > 0 {
			p.Work = Busy
		}
		f.Pods = append(f.Pods, p.Pod)
		if p.Revision == f.Published && p.Ready {
			f.Proven = true
		}
	}
	if !w.blind {
		highest, _ := w.window.Add(w.now, w.scale.Asked(messages), w.delay)
		w.desired, _ = w.scale.Clamp(highest)
	}
	f.Desired = w.desired
	w.spec.Proven = f.Proven
	d := Plan(f)
	w.excess = d.ExcessSince
	if d.Publish != "" {
		w.spec.Published, w.spec.Proven = d.Publish, false
	}
	w.apply(d)
	w.print(d)
}

func (w *world) apply(d Decision) {
	for _, a := range d.Actions {
		if a.Kind == Create {
			w.pods = append(w.pods, &simPod{
				Pod: Pod{Name: fmt.Sprintf("w%d", w.next), Revision: a.Revision, Created: w.now}, starts: 2,
			})
			w.next++
			continue
		}
		i := slices.IndexFunc(w.pods, func(p *simPod) bool { return p.Name == a.Pod })
		switch p := w.pods[i]; a.Kind {
		case GrantLeave:
			p.Grant = Grant{Reason: a.Grant, Since: w.now}
		case WithdrawGrant:
			p.Grant = Grant{}
		case DeleteNotRunning, DeleteOverdue, SignalLeave:
			p.Phase = Terminating
		case Remove:
			w.pods = slices.Delete(w.pods, i, i+1)
		}
	}
}

// print logs the second, if anything but the time has changed in it.
func (w *world) print(d Decision) {
	tally := map[string]int{}
	for _, p := range w.pods {
		switch {
		case p.Phase == Pending:
			tally["starting "+p.Revision]++
		case p.Phase == Running && p.granted():
			tally["granted "+p.Revision]++
		case p.Phase == Running && p.task > 0:
			tally["busy "+p.Revision]++
		case p.Phase == Running:
			tally["idle "+p.Revision]++
		}
	}
	var parts []string
	for state, n := range tally {
		parts = append(parts, fmt.Sprintf("%d %s", n, state))
	}
	slices.Sort(parts)
	line := fmt.Sprintf("waiting %d, done %d, desired %d, %s %s: %s",
		len(w.queue), w.done, w.desired, d.Stage, w.spec.Published, strings.Join(parts, ", "))
	actions := summary(d)
	if line != w.last || len(actions) > 0 {
		fmt.Fprintf(&w.log, "%3ds  %s\n", w.tick, line)
	}
	for _, a := range actions {
		fmt.Fprintf(&w.log, "        %s\n", a)
	}
	w.last = line
}

// summary says alike actions once.
func summary(d Decision) []string {
	var lines []string
	counts := map[string]int{}
	for _, a := range d.Actions {
		if a.Kind == Remove {
			continue
		}
		line := fmt.Sprintf("%s: %s", a.Kind, a.Why)
		if counts[line]++; counts[line] == 1 {
			lines = append(lines, line)
		}
	}
	for i, line := range lines {
		lines[i] = fmt.Sprintf("%dx %s", counts[line], line)
	}
	return lines
}

func TestSimulations(t *testing.T) {
	stories := map[string]func(*world){
		"burst": func(w *world) {
			w.push(4, 3)
			w.push(1, 50)
			w.run(70)
		},
		"demand-returns": func(w *world) {
			w.push(6, 4)
			w.run(12)
			w.push(5, 3)
			w.run(30)
		},
		"many-messages-a-worker": func(w *world) {
			w.scale.PerMessage = big.NewRat(1, 4)
			w.push(16, 2)
			w.run(12)
			w.push(4, 60)
			w.run(120)
		},
		"rollout": func(w *world) {
			w.push(6, 15)
			w.run(5)
			w.spec.Newest = "r2"
			w.note("the spec changes")
			w.push(4, 10)
			w.run(45)
		},
		"bad-canary": func(w *world) {
			w.push(4, 20)
			w.run(5)
			w.broken["r2"] = true
			w.spec.Newest = "r2"
			w.note("the spec changes to an image that does not exist")
			w.run(5)
			w.push(3, 5)
			w.run(20)
			w.spec.Newest = "r3"
			w.note("the spec is corrected")
			w.push(4, 5)
			w.run(40)
		},
		"rollback-half-way": func(w *world) {
			w.push(8, 30)
			w.run(5)
			w.spec.Newest = "r2"
			w.note("the spec changes")
			w.run(7)
			w.spec.Newest = "r1"
			w.note("the spec is rolled back")
			w.run(60)
		},
		"broker-away": func(w *world) {
			w.push(4, 5)
			w.run(5)
			w.blind = true
			w.note("the broker does not answer")
			w.run(60)
			w.blind = false
			w.note("the broker answers")
			w.run(15)
		},
		"operator-restarts": func(w *world) {
			w.push(5, 6)
			w.run(4)
			w.restartOperator()
			w.run(3)
			w.restartOperator()
			w.run(3)
			w.restartOperator()
			w.run(20)
		},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			w := newWorld(1, 10)
			story(w)
			path := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(w.log.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), w.log.String()); diff != "" {
				t.Errorf("the simulation differs from %s; if that is meant, run go test ./internal/planner -update (-want +got):\n%s", path, diff)
			}
		})
	}
}

// TestSimulationsInterruptNobody checks what must hold in every story, whatever its golden says.
func TestSimulationsInterruptNobody(t *testing.T) {
	w := newWorld(0, 20)
	for i := range 20 {
		w.push(i%7, 1+i%5)
		if i%6 == 5 {
			w.spec.Newest = fmt.Sprintf("r%d", 2+i/6)
		}
		if i%4 == 3 {
			w.restartOperator()
		}
		w.run(1 + i*3%11)
	}
	pushed := 0
	for i := range 20 {
		pushed += i % 7
	}
	w.run(120)
	if w.done != pushed || len(w.pods) != 0 {
		t.Errorf("%d of %d tasks done, %d pods left; want all, and none\n%s", w.done, pushed, len(w.pods), w.log.String())
	}
}
