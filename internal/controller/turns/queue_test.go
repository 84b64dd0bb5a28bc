package turns

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

var limits = Limits{Namespace: 3, Slow: 2, AllSlow: 3, SlowAfter: time.Second, SlowFor: time.Minute}

// of is the request of "namespace/name".
func of(name string) reconcile.Request {
	namespace, rest, _ := strings.Cut(name, "/")
	return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: rest}}
}

// desk is a queue and the workers that ask it.
type desk struct {
	*Queue
	clock *clocktesting.FakeClock
}

func newDesk() *desk {
	clk := clocktesting.NewFakeClock(time.Unix(0, 0))
	return &desk{Queue: New(limits, clk), clock: clk}
}

func (d *desk) add(names ...string) {
	for _, name := range names {
		d.Add(of(name))
	}
}

// take has as many workers ask as get something, and returns what.
func (d *desk) take() []string {
	var got []string
	for {
		d.mu.Lock()
		r, slow, found := d.next()
		if found {
			d.begin(r, slow)
		}
		d.mu.Unlock()
		if !found {
			return got
		}
		got = append(got, r.String())
	}
}

func (d *desk) done(after time.Duration, names ...string) {
	d.clock.Step(after)
	for _, name := range names {
		d.Done(of(name))
	}
}

func wantTurns(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("turns (-want +got):\n%s", diff)
	}
}

func TestNamespacesTakeTurns(t *testing.T) {
	d := newDesk()
	d.add("a/1", "a/2", "b/1", "a/3", "b/2", "c/1", "a/2")
	wantTurns(t, d.take(), "a/1", "b/1", "c/1", "a/2", "b/2", "a/3")
}

func TestANamespaceHasItsShareAndNoMore(t *testing.T) {
	d := newDesk()
	d.add("a/1", "a/2", "a/3", "a/4", "a/5")
	wantTurns(t, d.take(), "a/1", "a/2", "a/3")
	d.add("b/1")
	wantTurns(t, d.take(), "b/1")
	if n := d.Len(); n != 2 {
		t.Errorf("%d wait, want 2", n)
	}
	d.done(0, "a/2")
	wantTurns(t, d.take(), "a/4")
}

func TestAnObjectIsUnderWayOnce(t *testing.T) {
	d := newDesk()
	d.add("a/1")
	wantTurns(t, d.take(), "a/1")
	d.add("a/1", "a/1")
	wantTurns(t, d.take())
	d.done(0, "a/1")
	wantTurns(t, d.take(), "a/1")
	d.done(0, "a/1", "a/1")
	wantTurns(t, d.take())
}

// slowOnes makes objects known to be slow.
func (d *desk) slowOnes(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		d.add(name)
		wantTurns(t, d.take(), name)
		d.done(limits.SlowAfter, name)
	}
}

func TestSlowOnesLeaveRoom(t *testing.T) {
	for name, c := range map[string]struct {
		slow, add, want []string
	}{
		"those of a namespace have a part of its share": {
			slow: []string{"a/s1", "a/s2", "a/s3"},
			add:  []string{"a/s1", "a/s2", "a/s3", "a/1", "a/2"},
			want: []string{"a/1", "a/2", "a/s1"},
		},
		"a namespace without others has its part and no more": {
			slow: []string{"a/s1", "a/s2", "a/s3"},
			add:  []string{"a/s1", "a/s2", "a/s3"},
			want: []string{"a/s1", "a/s2"},
		},
		"those of all namespaces have a part together": {
			slow: []string{"a/s1", "b/s1", "c/s1", "d/s1"},
			add:  []string{"a/s1", "b/s1", "c/s1", "d/s1", "d/1"},
			want: []string{"d/1", "a/s1", "b/s1", "c/s1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk()
			d.slowOnes(t, c.slow...)
			d.add(c.add...)
			wantTurns(t, d.take(), c.want...)
		})
	}
}

func TestWhoWasSlowIsKnownForItForAWhile(t *testing.T) {
	for name, c := range map[string]struct {
		took, later time.Duration
		slow        bool
	}{
		"a moment below the bound": {took: limits.SlowAfter - 1, slow: false},
		"at the bound":             {took: limits.SlowAfter, slow: true},
		"almost ordinary again":    {took: limits.SlowAfter, later: limits.SlowFor - 1, slow: true},
		"ordinary again":           {took: limits.SlowAfter, later: limits.SlowFor, slow: false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk()
			d.add("a/1")
			d.take()
			d.done(c.took, "a/1")
			d.clock.Step(c.later)
			d.add("a/1")
			if _, waits := d.slow.byNamespace["a"]; waits != c.slow {
				t.Errorf("it waits among the slow ones: %t, want %t", waits, c.slow)
			}
			if _, known := d.slowUntil[of("a/1")]; known != c.slow {
				t.Errorf("it is known to be slow: %t, want %t", known, c.slow)
			}
		})
	}
}

// What is remembered of objects that are gone goes with the next one that is slow.
func TestThoseThatAreForgivenAreForgotten(t *testing.T) {
	d := newDesk()
	d.slowOnes(t, "a/1", "a/2")
	d.clock.Step(limits.SlowFor)
	d.slowOnes(t, "b/1")
	if diff := cmp.Diff(map[reconcile.Request]time.Time{of("b/1"): d.clock.Now().Add(limits.SlowFor)}, d.slowUntil); diff != "" {
		t.Errorf("known to be slow (-want +got):\n%s", diff)
	}
}

// A room that one leaves may be room for two: its namespace's, and that of the slow ones. Both are told.
func TestNobodyWaitsWhileThereIsRoom(t *testing.T) {
	d := newDesk()
	d.slowOnes(t, "a/s1", "b/s1", "b/s2", "c/s1")
	d.add("a/s1", "b/s1", "b/s2", "a/1", "a/2")
	d.take()
	d.add("a/3", "c/s1") // the one waits for its namespace, the other for the slow ones
	turns := make(chan string, 2)
	for range 2 {
		go func() {
			r, _ := d.Get()
			turns <- r.String()
		}()
	}
	d.done(0, "a/s1")
	got := map[string]bool{<-turns: true, <-turns: true}
	if diff := cmp.Diff(map[string]bool{"a/3": true, "c/s1": true}, got); diff != "" {
		t.Errorf("turns (-want +got):\n%s", diff)
	}
}

func TestAQueueThatIsShutDown(t *testing.T) {
	d := newDesk()
	var names []string
	for i := range 5 {
		names = append(names, fmt.Sprintf("a/%d", i))
	}
	d.add(names...)
	drained := make(chan struct{})
	go func() {
		d.ShutDownWithDrain()
		close(drained)
	}()
	for !d.ShuttingDown() {
		<-time.After(time.Millisecond)
	}
	d.add("a/late")
	var got []string
	for {
		r, shutdown := d.Get()
		if shutdown {
			break
		}
		got = append(got, r.String())
	}
	wantTurns(t, got, names...)
	select {
	case <-drained:
		t.Error("it is drained while objects are under way")
	default:
	}
	d.done(0, names...)
	<-drained
}

// The constructor's queue delays, and pauses after failures.
func TestDelaysAndPauses(t *testing.T) {
	clk := clocktesting.NewFakeClock(time.Unix(0, 0))
	queue := RateLimited(limits, clk)("test", pauses{})
	defer queue.ShutDown()
	queue.AddRateLimited(of("a/1"))
	queue.AddAfter(of("b/1"), 2*time.Second)
	for !clk.HasWaiters() {
		<-time.After(time.Millisecond)
	}
	var got []string
	for range 2 {
		clk.Step(time.Second)
		r, _ := queue.Get()
		got = append(got, r.String())
	}
	wantTurns(t, got, "a/1", "b/1")
}

// pauses is one second for everybody.
type pauses struct{}

func (pauses) When(reconcile.Request) time.Duration { return time.Second }
func (pauses) Forget(reconcile.Request)             {}
func (pauses) NumRequeues(reconcile.Request) int    { return 0 }
