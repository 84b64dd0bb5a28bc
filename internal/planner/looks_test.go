package planner

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/worker/contract"
)

// A fleet is looked at again by the passing of time where that may change something, and else not.
func TestWhatIsNotWaitedFor(t *testing.T) {
	young := makeWorker("young").readyFor(4 * time.Second)
	leaves := makeWorker("leaves").busy().nodeLeaving()
	fleet := func(ws ...worker) Fleet { return steady(2, ws...).minReady(10 * time.Second) }
	cases := map[string]struct {
		fleet Fleet
		want  time.Duration // from now, 0 for never
	}{
		"nobody leaves": {fleet(young, makeWorker("a")), 0},
		"one leaves once another has stayed ready": {fleet(young, leaves), 6 * time.Second},
		"and that one has a grant itself":          {fleet(young.granted(contract.ReasonScaleDown, 0), leaves, makeWorker("a")).with(func(f *Fleet) { f.DepthKnown = false }), 0},
		"the QWorker is being deleted":             {fleet(young.granted(contract.ReasonDelete, 0), leaves.granted(contract.ReasonDelete, 0)).with(func(f *Fleet) { f.Deleting = true }), 0},
		"a replacement does not come up for 1 min": {steady(1, leaves, makeWorker("new").phase(Pending).age(time.Minute)).to("r2"), time.Minute},
		"a replacement does not come up for 2 min": {steady(1, leaves, makeWorker("new").phase(Pending).age(2*time.Minute)).to("r2"), 10 * time.Minute},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var want time.Time
			if c.want > 0 {
				want = t0.Add(c.want)
			}
			if d := Plan(c.fleet); !d.RecheckAt.Equal(want) {
				t.Errorf("it is looked at again at %v, want %v: %v", d.RecheckAt, want, short(d.Actions))
			}
		})
	}
}

// Only a pod of the published revision proves it.
func TestWhoProvesNothing(t *testing.T) {
	for name, w := range map[string]worker{
		"a pod of another revision": makeWorker("a").of("r0"),
		"one that does not run":     makeWorker("a").phase(Terminating),
		"one that is not ready":     makeWorker("a").unready(),
	} {
		f := steady(1, w, makeWorker("b").phase(Pending)).with(func(f *Fleet) { f.Proven = false })
		if Plan(f).Proven {
			t.Errorf("%s proves the published revision", name)
		}
	}
}

// A plan leaves alone what it was asked about.
func TestAPlanChangesNoPodOfItsFleet(t *testing.T) {
	f := steady(1, makeWorker("a").phase(Pending).busy())
	before := f.Pods[0]
	Plan(f)
	if diff := cmp.Diff(before, f.Pods[0]); diff != "" {
		t.Errorf("the pod (-before +after):\n%s", diff)
	}
}

func TestEndedAtOnceAndCapacity(t *testing.T) {
	at := t0
	for name, c := range map[string]struct {
		pod  Pod
		want bool
	}{
		"it ended well":         {Pod{Phase: Left, EndedWell: at}, false},
		"it crashed":            {Pod{Phase: Left, Failure: Failure{Level: 1, At: at}}, false},
		"it ended well at once": {Pod{Phase: Left, EndedWell: at, Failure: Failure{Level: 1, At: at}}, true},
		"it runs":               {Pod{Phase: Running}, false},
	} {
		if got := c.pod.EndedAtOnce(); got != c.want {
			t.Errorf("%s: EndedAtOnce = %t", name, got)
		}
	}
	if !makeWorker("a").Capacity() || makeWorker("a").granted(contract.ReasonScaleDown, 0).Capacity() {
		t.Error("a worker counts against the number until it has a grant")
	}
}

// The words of an action count how many are too many.
func TestHowManyCanariesAreTooMany(t *testing.T) {
	for n, want := range map[int]string{1: "; 1 canary too many", 2: "; 2 canaries too many"} {
		canaries := many("canary", n+1, func(w worker) worker { return w.of("r2").phase(Pending) })
		d := Plan(steady(2, append(busy(2), canaries...)...).to("r2"))
		if len(d.Actions) != n || !strings.HasSuffix(d.Actions[0].Why, want) {
			t.Errorf("of %d too many, %q is done", n, d.Actions)
		}
	}
}

// Where the queue of the new revision is another one, and the old one cannot be read, one canary is tried for it.
func TestOneCanaryWhereTheOtherQueueCannotBeRead(t *testing.T) {
	f := steady(1, busy(1)...).to("r2").surge(Pods(0)).unavailable(Pods(1)).
		with(func(f *Fleet) { f.NewestDesired, f.DepthKnown = 1, false })
	if diff := cmp.Diff([]string{"create r2"}, short(Plan(f).Actions)); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
}
