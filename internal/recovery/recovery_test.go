package recovery_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/bubbletest"
	"github.com/quickube/qscaler/internal/recovery"
)

// fakes are brokers and an API server in memory. A call of a broker that hangs ends with its deadline.
type fakes struct {
	mu     sync.Mutex
	hangs  map[string]bool // by source or key
	after  time.Duration   // how long a call that hangs takes once its context is done
	refuse error
	// calls counts them, by what they are.
	calls   map[string]int
	holders []broker.Holder
	absence error
	// held is how many tasks each list has.
	held int64
	// unclaimed is why no task may be returned.
	unclaimed error
	notify    map[recovery.Fleet]int
	// unserved is what was said of the queues that nobody serves, by source.
	unserved map[string]backlog.Unserved
}

const longestSearch = 10 * time.Minute

func (f *fakes) call(ctx context.Context, name, hangsAt string) error {
	f.mu.Lock()
	f.calls[name]++
	hangs := f.hangs[hangsAt]
	f.mu.Unlock()
	if hangs {
		<-ctx.Done()
		<-time.After(f.after)
		return fmt.Errorf("no answer, %w", ctx.Err())
	}
	return f.refuse
}

func (f *fakes) Last(backlog.Key) backlog.Reading { return backlog.Reading{Known: true} }

func (f *fakes) Server(source string) backlog.Server { return backlog.Server{Keys: source} }

func (f *fakes) NoteUnserved(source string, unserved backlog.Unserved) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unserved[source] = unserved
}

func (f *fakes) Held(ctx context.Context, key backlog.Key, workers []string) ([]int64, error) {
	counts := make([]int64, len(workers))
	for i := range counts {
		counts[i] = f.held
	}
	return counts, f.call(ctx, "count", key.Name)
}

func (f *fakes) Claim(context.Context, string) error { return f.unclaimed }

func (f *fakes) Reclaim(ctx context.Context, key backlog.Key, worker string) (int64, error) {
	return 1, f.call(ctx, "return "+worker, key.Name)
}

// Holders ends by itself where it hangs, as broker.Reclaimer has it.
func (f *fakes) Holders(ctx context.Context, source string) ([]broker.Holder, error) {
	ctx, cancel := context.WithTimeout(ctx, longestSearch)
	defer cancel()
	return f.holders, f.call(ctx, "search "+source, source)
}

func (f *fakes) presence(ctx context.Context, _ recovery.Fleet, worker string) (recovery.Presence, error) {
	if err := f.call(ctx, "confirm "+worker, "API server"); err != nil {
		return recovery.Absent, err
	}
	return recovery.Absent, f.absence
}

func (f *fakes) woken(fleet recovery.Fleet) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notify[fleet]++
}

// take returns the calls since it was last called.
func (f *fakes) take() map[string]int {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := maps.Clone(f.calls)
	clear(f.calls)
	return calls
}

// calledFor checks which calls have come since this was last asked.
func (f *fakes) calledFor(t *testing.T, want map[string]int) {
	t.Helper()
	if diff := cmp.Diff(want, f.take()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func newFakes() *fakes {
	return &fakes{hangs: map[string]bool{}, calls: map[string]int{}, notify: map[recovery.Fleet]int{}, unserved: map[string]backlog.Unserved{}}
}

// newRecovery returns a Recovery that was not started.
func newRecovery(f *fakes) *recovery.Recovery {
	return recovery.New(recovery.Options{
		Brokers: f, Presence: f.presence, Notify: f.woken, Clock: clock.RealClock{},
		Names: recovery.Names{Family: func(recovery.Fleet) string { return "w" }, FamilyOf: func(worker string) string {
			if strings.HasPrefix(worker, "foreign") {
				return ""
			}
			return "w"
		}},
	})
}

// inBubble runs a Recovery in time that stands still while it works. Its goroutines must have ended with the test.
func inBubble(t *testing.T, test func(*testing.T, *fakes, *recovery.Recovery)) {
	bubbletest.Run(t, func(t *testing.T) {
		f := newFakes()
		r := newRecovery(f)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.Start(ctx) }()
		test(t, f, r)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// look is one round of a fleet's reconciler, whose queue is at the broker. It must take no time.
func look(t *testing.T, r *recovery.Recovery, fleet recovery.Fleet, at string, workers ...recovery.Worker) recovery.Snapshot {
	t.Helper()
	place := recovery.Place{Broker: at, Queue: fleet.Name, Key: backlog.Key{Name: at + "/" + fleet.Name}, Revision: "r"}
	began := time.Now()
	s := r.Observe(fleet, recovery.Observation{
		Now: began, Workers: workers, Places: []recovery.Place{place}, At: func(string) recovery.Place { return place },
	})
	r.Note(fleet, workers)
	if took := time.Since(began); took > 0 {
		t.Errorf("a round of %s waited for %s", fleet.Name, took)
	}
	return s
}

var (
	one   = recovery.Fleet{Name: "one"}
	other = recovery.Fleet{Name: "other"}
)

func endedPod(name string) recovery.Worker {
	return recovery.Worker{Name: name, Revision: "r", Ended: true}
}

func runningPod(name string) recovery.Worker { return recovery.Worker{Name: name, Revision: "r"} }

// What is done for a worker that ends, one that vanishes and one that is found, and how often.
func TestWhatIsDoneForDeadWorkers(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakes, r *recovery.Recovery) {
		f.holders = []broker.Holder{{Queues: []string{"one"}, Worker: "found"}, {Queues: []string{"nobody's"}, Worker: "foreign"}}
		look(t, r, one, "x", runningPod("vanishes"))
		wait(time.Second)
		returned := look(t, r, one, "x", endedPod("ends")).Returned // of the one that was found
		wait(time.Second)
		want := map[string]int{
			"search x": 1, "return ends": 1, "confirm found": 1, "return found": 1, "confirm vanishes": 1, "return vanishes": 1,
		}
		if diff := cmp.Diff(want, f.take()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		if len(f.unserved) > 0 {
			t.Errorf("queues that nobody serves are told at once: %v", f.unserved)
		}
		for range 10 {
			s := look(t, r, one, "x", endedPod("ends"))
			if returned += s.Returned; len(s.Dead) != 3 || returned != 3 {
				t.Fatalf("%d tasks are returned, want 3, of three dead workers: %+v", returned, s.Dead)
			}
			wait(time.Second)
		}
		if diff := cmp.Diff(map[string]backlog.Unserved{"x": {Known: true, Lists: 1, Queues: 1}}, f.unserved); diff != "" {
			t.Errorf("queues that nobody serves (-want +got):\n%s", diff)
		}
		wait(50 * time.Minute)
		if diff := cmp.Diff(map[string]int{}, f.take()); diff != "" {
			t.Errorf("calls while nothing changes (-want +got):\n%s", diff)
		}
		if n := f.notify[one]; n != 3 {
			t.Errorf("woken %d times, want 3: somebody was found, is back, and those that ended and vanished are", n)
		}
	})
}

// A broker that hangs in everything delays no round, and no other broker. Its calls end with their deadlines.
func TestABrokerThatHangsDelaysNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakes, r *recovery.Recovery) {
		look(t, r, one, "x", runningPod("b"))
		look(t, r, other, "y", runningPod("c"))
		wait(time.Second)
		f.take()
		f.mu.Lock()
		f.hangs["x/one"] = true
		f.mu.Unlock()
		look(t, r, one, "x", endedPod("a"))
		look(t, r, other, "y", endedPod("c"))
		wait(10 * time.Millisecond)
		if d, ok := look(t, r, other, "y", endedPod("c")).Of("c"); !ok || !d.IsReturned() {
			t.Errorf("the other broker's worker: %+v, want its tasks to be back", d)
		}
		f.calledFor(t, map[string]int{"return a": 1, "confirm b": 1, "return b": 1, "return c": 1})
		for range 100 {
			look(t, r, one, "x", endedPod("a"))
			wait(time.Second)
		}
		// 5 s to each deadline, and pauses of 1, 2, 4, 8, 16 s between them; the sixth is after 93 s.
		if diff := cmp.Diff(map[string]int{"return a": 6, "confirm b": 6, "return b": 6}, f.take()); diff != "" {
			t.Errorf("calls in 100 s (-want +got):\n%s", diff)
		}
		s := look(t, r, one, "x", endedPod("a"))
		if d, _ := s.Of("a"); !d.IsFailing() || !errors.Is(d.Err, context.DeadlineExceeded) {
			t.Errorf("a: %+v, want it to be failing for the time-out", d)
		}
	})
}

// An API server that does not answer keeps the broker from being asked, and has no word on the broker.
func TestNothingIsReturnedThatTheAPIServerDoesNotConfirm(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakes, r *recovery.Recovery) {
		look(t, r, one, "x", runningPod("a"), runningPod("b"))
		wait(time.Second)
		f.take()
		f.mu.Lock()
		f.hangs["API server"] = true
		f.mu.Unlock()
		look(t, r, one, "x", runningPod("b"))
		wait(6 * time.Second)
		look(t, r, one, "x", endedPod("b"))
		wait(time.Second)
		f.calledFor(t, map[string]int{"confirm a": 2, "return b": 1})
	})
}

// A search that hangs holds up no return, and the next one waits as long as it took.
func TestASearchThatHangsHoldsUpNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakes, r *recovery.Recovery) {
		f.hangs["x"] = true
		look(t, r, one, "x", endedPod("a"))
		wait(time.Second)
		f.calledFor(t, map[string]int{"search x": 1, "return a": 1})
		wait(9 * time.Minute)
		f.calledFor(t, map[string]int{})
		wait(10 * time.Minute) // the server is left alone for that
		f.calledFor(t, map[string]int{})
		wait(2 * time.Minute)
		f.calledFor(t, map[string]int{"search x": 1})
	})
}

// Hundreds that die together wake their reconciler a few times, and not each.
func TestManyThatDieTogetherWakeTheirFleetFewTimes(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakes, r *recovery.Recovery) {
		var workers []recovery.Worker
		for i := range 320 {
			workers = append(workers, endedPod(fmt.Sprint("w-", i)))
		}
		look(t, r, one, "x", workers...)
		wait(time.Second)
		if n, calls := f.notify[one], len(f.take()); n > 10 || calls != 321 {
			t.Errorf("woken %d times by %d calls, want at most 10 times, and 320 returns and a search", n, calls)
		}
		for _, d := range look(t, r, one, "x", workers...).Dead {
			if !d.IsReturned() {
				t.Fatalf("%+v is not returned", d)
			}
		}
	})
}

// Results and readings that come within a moment are dealt with together.
func TestHowLongOneRoundGathers(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakes, r *recovery.Recovery) {
		synctest.Wait()
		look(t, r, one, "x", endedPod("a"))
		wait(2*time.Millisecond - 1)
		if diff := cmp.Diff(map[string]int{}, f.take()); diff != "" {
			t.Errorf("calls before the moment is over (-want +got):\n%s", diff)
		}
		wait(1)
		f.calledFor(t, map[string]int{"search x": 1, "return a": 1})
	})
}

// Who comes while another's pause lasts does not wait for that.
func TestADeadWorkerDoesNotWaitForThePauseOfAnother(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakes, r *recovery.Recovery) {
		look(t, r, one, "x")
		wait(time.Second)
		f.refuse = errors.New("NOPERM")
		look(t, r, one, "x", endedPod("a"))
		wait(10 * time.Second) // it fails at 0, 1, 3 and 7 s, and next at 15 s
		f.take()
		f.refuse = nil
		look(t, r, one, "x", endedPod("a"), endedPod("b"))
		wait(time.Second)
		f.calledFor(t, map[string]int{"return b": 1})
	})
}

// A pod that comes and goes between two rounds has vanished where it was noted, and is nobody's once its fleet is gone.
func TestWhoIsNotedAndWhoIsForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *fakes, r *recovery.Recovery) {
		look(t, r, one, "x")
		r.Note(one, []recovery.Worker{runningPod("a")})
		if s := look(t, r, one, "x"); s.Vanished != 1 {
			t.Errorf("%d have vanished, want the one that was noted", s.Vanished)
		}
		r.Note(one, []recovery.Worker{runningPod("b")})
		r.Forget(one)
		if s := look(t, r, one, "x"); s.Vanished != 0 || len(s.Dead) != 0 {
			t.Errorf("%d have vanished of a fleet that was forgotten, and %d are dead: %+v", s.Vanished, len(s.Dead), s.Dead)
		}
	})
}

// Start returns once each call has, and what ends with the process is no failure.
func TestStartWaitsForItsCalls(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		f := newFakes()
		f.hangs["x/one"], f.after = true, time.Second
		r := newRecovery(f)
		if !r.NeedLeaderElection() {
			t.Error("a replica that is not the leader would return tasks")
		}
		ctx, cancel := context.WithCancel(t.Context())
		look(t, r, one, "x", endedPod("a"))
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		if err := r.Start(ctx); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("it ended after %s, want 1 s until it is to end, and 1 s for the call", took)
		}
		want := []recovery.Dead{{Worker: "a", Revision: "r", State: recovery.Ended}}
		if diff := cmp.Diff(want, look(t, r, one, "x", endedPod("a")).Dead); diff != "" {
			t.Errorf("the dead (-want +got):\n%s", diff)
		}
	})
}

// A broker that returns tasks itself has no claim, and needs none.
func TestABrokerWithoutAClaim(t *testing.T) {
	for name, c := range map[string]struct {
		unclaimed error
		want      map[string]int
	}{
		"has none":      {errors.ErrUnsupported, map[string]int{"return dead": 1}},
		"is refused it": {errors.New("somebody else's"), map[string]int{}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *fakes, r *recovery.Recovery) {
				look(t, r, one, "x", runningPod("dead"))
				wait(time.Second)
				f.take()
				f.unclaimed = c.unclaimed
				look(t, r, one, "x", endedPod("dead"))
				wait(100 * time.Millisecond)
				f.calledFor(t, c.want)
				d, _ := look(t, r, one, "x", endedPod("dead")).Of("dead")
				if returned := len(c.want) > 0; d.IsReturned() != returned || (d.Err == nil) != returned {
					t.Errorf("%+v, want its tasks to be back: %t, and else the reason", d, returned)
				}
			})
		})
	}
}
