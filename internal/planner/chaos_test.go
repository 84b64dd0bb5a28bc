package planner

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

var (
	chaosSeed  = flag.Uint64("chaos.seed", 0, "seed of TestChaos; 0 draws one, or with -short takes always the same")
	chaosSteps = flag.Int("chaos.steps", 100_000, "seconds that TestChaos simulates; with -short at most 2,000")
)

// chaos is what goes wrong in a world: everything, a little, all the time.
type chaos struct {
	*world
	*rand.Rand
	pushed, revisions int
}

// oneIn reports whether something happens that happens once in n times.
func (c *chaos) oneIn(n int) bool { return c.IntN(n) == 0 }

// TestChaos runs a world of accidents for a long time, checks every plan, and then lets calm return: whatever has
// happened, each task is done, and the fleet is what the spec says.
func TestChaos(t *testing.T) {
	seed, steps := *chaosSeed, *chaosSteps
	switch {
	case testing.Short():
		seed, steps = max(seed, 1), min(steps, 2_000)
	case seed == 0:
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("run it again with -run TestChaos -chaos.seed %d", seed)
	c := &chaos{world: newWorld(0, 12), Rand: rand.New(rand.NewPCG(seed, 0)), revisions: 1}
	writesFail := false
	c.fails = func() bool { return writesFail && c.oneIn(3) }
	c.check = func(f Fleet, d Decision) {
		if checkInvariants(t, f, d); t.Failed() {
			t.Fatalf("second %d: %s\nactions: %v", c.tick, picture(f), d.Actions)
		}
	}
	for range steps {
		writesFail = c.IntN(2) == 0
		c.accident()
		c.run(1)
		c.log.Reset()
	}
	c.calm()
	c.run(600)
	if c.done != c.pushed || len(c.queue) > 0 {
		t.Errorf("%d of %d tasks are done, %d wait", c.done, c.pushed, len(c.queue))
	}
	workers := 0
	for _, p := range c.pods {
		if p.Phase == Left && !p.Failure.At.IsZero() {
			continue // kept for diagnosis
		}
		if workers++; p.Revision != c.spec.Newest || p.granted() || p.Phase != Running {
			t.Errorf("in the end there is %+v", p.Pod)
		}
	}
	if workers != c.scale.Min {
		t.Errorf("in the end there are %d workers, want %d\n%s", workers, c.scale.Min, c.log.String())
	}
}

func (c *chaos) accident() {
	if c.oneIn(5) {
		n := c.IntN(4)
		c.push(n, 1+c.IntN(40))
		c.pushed += n
	}
	if c.oneIn(200) {
		c.restartOperator()
	}
	if c.oneIn(100) {
		c.blind = !c.blind && c.oneIn(2)
	}
	if c.oneIn(60) {
		c.cordoned[nodes[c.IntN(len(nodes))]] = c.oneIn(2)
	}
	if c.oneIn(500) {
		c.mute = !c.mute
	}
	if c.oneIn(150) {
		c.password++
	}
	if c.oneIn(150) {
		c.revise()
	}
	if c.oneIn(100) {
		amounts := []Amount{Pods(0), Pods(2), Percent(25), Percent(50)}
		c.spec.Rollout = Rollout{
			Surge: amounts[c.IntN(len(amounts))], Unavailable: amounts[c.IntN(len(amounts))],
			MinReady: time.Duration(c.IntN(5)) * time.Second, Deadline: time.Minute, Paused: c.oneIn(5),
		}
		c.scale.Min = c.IntN(4)
	}
	for _, p := range c.pods {
		c.strike(p)
	}
}

// revise changes the spec: to something new, which may be broken, or back to what is published.
func (c *chaos) revise() {
	if c.oneIn(3) && c.spec.Published != "" {
		c.spec.Newest = c.spec.Published
		return
	}
	c.revisions++
	c.spec.Newest = fmt.Sprintf("r%d", c.revisions)
	c.broken[c.spec.Newest] = c.oneIn(3) && c.spec.Published != ""
}

// strike does something to a pod, mostly nothing.
func (c *chaos) strike(p *simPod) {
	p.Unreachable = p.Unreachable != c.oneIn(300) && p.Phase != Left
	if p.Phase == Pending && c.oneIn(50) {
		p.Unfit = noRoom
	}
	if p.Phase != Running || !c.oneIn(200) {
		return
	}
	switch c.IntN(3) {
	case 0: // it crashes, and is restarted in place; it takes its task up again
		p.Phase, p.Ready, p.starts = Pending, false, 3
	case 1: // it fails for good; its task goes back
		p.Phase, p.Ready, p.Ended, p.Reclaimed = Left, false, true, true
		p.Failure = Failure{Level: FailureLevel(0, c.now.Sub(p.Created)), At: c.now}
		if p.task > 0 {
			c.queue = append([]int{p.task}, c.queue...)
			p.task = 0
		}
	case 2: // it hangs, and fails its readiness probe
		p.Ready, p.ReadyChanged = false, c.now
		if p.task > 0 {
			p.task += 30
		}
	}
}

// calm ends all trouble, with a revision that works.
func (c *chaos) calm() {
	c.blind, c.fails = false, nil
	clear(c.cordoned)
	c.scale.Min = 2
	c.spec.Rollout = Rollout{Surge: Percent(25), Deadline: time.Minute}
	c.revisions++
	c.spec.Newest = fmt.Sprintf("r%d", c.revisions)
	for _, p := range c.pods {
		p.Unreachable = false // those that are not ready leave all the same
	}
}
