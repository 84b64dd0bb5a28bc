package planner

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/quickube/qscaler/internal/scaling"
)

// world is a cluster, a broker and an operator in which a second is a tick. Pods start after two seconds,
// workers take tasks, finish them, and leave when they are told to and have none.
type world struct {
	now      time.Time
	tick     int
	next     int
	queue    []int // the lengths of the waiting tasks, in seconds
	pods     []*simPod
	broken   map[string]bool // revisions whose pods never run
	tried    map[string]bool // revisions of which a canary was created
	blind    bool            // the broker does not answer
	mute     bool            // the broker does not say who is busy
	spec     Fleet
	scale    scaling.Scale
	memory   scaling.Memory
	size     scaling.Decision
	excess   time.Time
	cordoned map[string]bool
	pool     map[string]string // the one node that a revision's pods may run on, where it is tied to one
	password int               // how often the broker's password has changed
	restless bool              // the operator restarts every second
	done     int
	fails    func() bool           // whether a write fails, nil for never
	check    func(Fleet, Decision) // looks at each plan before it is carried out, nil for no one
	log      strings.Builder
	last     string
}

type simPod struct {
	Pod
	starts int // ticks until it runs
	task   int // seconds left of the task in hand
	node   string

	password int // the one that it was made with
}

func newWorld(minimum, maximum int) *world {
	return &world{
		now: t0, broken: map[string]bool{}, tried: map[string]bool{}, cordoned: map[string]bool{}, pool: map[string]string{},
		spec:  Fleet{Newest: "r1", Rollout: Rollout{Surge: Percent(25), Deadline: 20 * time.Second}},
		scale: scaling.Scale{Min: minimum, Max: maximum, PerMessage: big.NewRat(1, 1), DownDelay: 5 * time.Second},
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

// restartOperator forgets all that is not in the cluster; the number of workers is in the status.
func (w *world) restartOperator() {
	w.forget()
	w.note("the operator restarts")
}

func (w *world) forget() {
	w.memory, w.excess = scaling.Memory{}, time.Time{}
}

func (w *world) run(seconds int) {
	for range seconds {
		w.work()
		if w.restless {
			w.forget()
		}
		w.reconcile()
		w.tick++
		w.now = w.now.Add(time.Second)
	}
}

// work is a second of the workers' lives.
func (w *world) work() {
	for _, p := range w.pods {
		if p.Phase == Pending && p.node == "" {
			if p.node = w.place(p.Revision); p.node == "" {
				p.Trouble = "Unschedulable"
				continue
			}
			p.Trouble = ""
		}
		if p.Phase == Pending && !w.broken[p.Revision] {
			if p.starts--; p.starts <= 0 {
				p.Phase, p.Ready, p.ReadyChanged = Running, true, w.now
			}
			continue
		}
		if p.task > 0 {
			if p.task--; p.task == 0 {
				w.done++
			}
		}
		if p.Phase == Terminating && p.task == 0 {
			p.Phase, p.Ended, p.Reclaimed = Left, true, true
		}
		if p.Phase != Running {
			continue
		}
		switch {
		case p.task > 0:
		case p.granted():
			p.Phase, p.Ready, p.Ended, p.Reclaimed = Left, false, true, true
		case len(w.queue) > 0:
			p.task, w.queue = w.queue[0], w.queue[1:]
		}
	}
}

// reconcile is what the operator does in that second.
func (w *world) reconcile() {
	f := w.spec
	f.Now, f.DepthKnown, f.ExcessSince = w.now, !w.blind, w.excess
	f.Tried = w.tried[f.Newest]
	for _, p := range w.pods {
		p.NodeLeaving, p.OldPassword = w.cordoned[p.node], p.password != w.password
		p.Work = Idle
		if p.task > 0 {
			p.Work = Busy
		}
		if w.mute {
			p.Work = Unknown
		}
		f.Pods = append(f.Pods, p.Pod)
	}
	w.sizeUp(Decision{})
	f.Desired, f.Finishing = w.size.Desired, w.size.Finishing
	d := Plan(f)
	for range 10 { // what those finish who leave now needs no other worker
		if w.sizeUp(d); w.size.Desired == f.Desired && w.size.Finishing == f.Finishing {
			break
		}
		f.Desired, f.Finishing = w.size.Desired, w.size.Finishing
		d = Plan(f)
	}
	if w.check != nil {
		w.check(f, d)
	}
	w.excess, w.spec.Proven = d.ExcessSince, d.Proven
	if d.Publish != "" {
		w.spec.Published, w.spec.Proven = d.Publish, false
	}
	w.apply(d)
	w.print(d)
}

// nodes are where pods are placed, one after the other.
var nodes = []string{"n1", "n2"}

func (w *world) place(revision string) string {
	for i := range nodes {
		node, pool := nodes[(w.next+i)%len(nodes)], w.pool[revision]
		if !w.cordoned[node] && (pool == "" || pool == node) {
			return node
		}
	}
	return ""
}

func (w *world) cordon(node string, cordoned bool) {
	w.cordoned[node] = cordoned
	w.note("node %s is cordoned: %t", node, cordoned)
}

func (w *world) changePassword() {
	w.password++
	w.note("the broker's password changes")
}

func (w *world) change(revision, what string) {
	w.spec.Newest = revision
	w.note("%s", what)
}

// sizeUp turns the queue into a number of workers. Messages of workers that leave, now or since earlier, need no other.
func (w *world) sizeUp(d Decision) {
	if w.blind {
		return
	}
	leaves := map[string]bool{}
	for _, a := range d.Actions {
		leaves[a.Pod] = a.Kind == GrantLeave || a.Kind == SignalLeave
	}
	inFlight, leaving := int64(0), int64(0)
	for _, p := range w.pods {
		if p.task == 0 {
			continue
		}
		inFlight++
		if p.Phase != Running || (p.granted() && !w.spec.Obsolete(p.Pod)) || leaves[p.Name] {
			leaving++
		}
	}
	w.size = scaling.Decide(scaling.Input{
		Now: w.now, Scale: w.scale, Before: w.size.Desired, Memory: w.memory,
		Queue: scaling.Queue{Waiting: scaling.Counted(int64(len(w.queue))), InFlight: scaling.Counted(inFlight), Leaving: leaving},
	})
	w.memory = w.size.Memory
}

func (w *world) apply(d Decision) {
	for _, a := range d.Actions {
		if w.fails != nil && w.fails() {
			continue
		}
		if a.Kind == Create {
			w.tried[a.Revision] = w.tried[a.Revision] || d.Stage == Canary
			w.pods = append(w.pods, &simPod{
				Pod: Pod{Name: fmt.Sprintf("w%d", w.next), Revision: a.Revision, Created: w.now}, starts: 2, node: w.place(a.Revision), password: w.password,
			})
			w.next++
			continue
		}
		i := slices.IndexFunc(w.pods, func(p *simPod) bool { return p.Name == a.Pod })
		switch p := w.pods[i]; a.Kind {
		case GrantLeave:
			p.Grant = Grant{Reason: a.Grant, Since: w.now}
		case SignalLeave:
			p.Phase = Terminating
		case WithdrawGrant:
			p.Grant = Grant{}
		case DeleteNotRunning, DeleteOverdue:
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
		case p.Phase == Terminating && p.task > 0:
			tally["finishing "+p.Revision]++
		case p.Phase == Running:
			tally[doing(p)+" "+p.Revision]++
		}
	}
	var parts []string
	for state, n := range tally {
		parts = append(parts, fmt.Sprintf("%d %s", n, state))
	}
	slices.Sort(parts)
	line := fmt.Sprintf("waiting %d, done %d, desired %d, %s %s: %s",
		len(w.queue), w.done, w.size.Desired, d.Stage, w.spec.Published, strings.Join(parts, ", "))
	actions := summary(d)
	if o := d.Obstacle; o != (Obstacle{}) {
		line += fmt.Sprintf("; stopped: %s, pod %s: %s", o.Reason, o.Pod, o.Message)
	}
	if line != w.last || len(actions) > 0 {
		fmt.Fprintf(&w.log, "%3ds  %s\n", w.tick, line)
	}
	for _, a := range actions {
		fmt.Fprintf(&w.log, "        %s\n", a)
	}
	w.last = line
}

func doing(p *simPod) string {
	state := "idle"
	switch {
	case p.granted():
		state = "granted"
	case p.task > 0:
		state = "busy"
	}
	if p.NodeLeaving {
		state += " on a leaving node"
	}
	if p.OldPassword {
		state += " with an old password"
	}
	return state
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
