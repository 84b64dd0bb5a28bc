package backlog_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/redis"
)

// wait lets fake time pass.
func wait(d time.Duration) {
	<-time.After(d)
	settle()
}

func TestARingIsReadAtOnceAndABurstInBatches(t *testing.T) {
	inBubble(t, backlog.Options{}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		b.Watch("a", watchOf("x", "q"))
		wait(time.Second)
		_, _, before := x.counts()

		rung := time.Now()
		x.push("q", 1)
		settle()
		if r := b.Last("a"); r.Depth.Waiting.N != 1 || !r.ReadAt.Equal(rung) {
			t.Errorf("%d waiting, read %s after the ring; want 1, at once", r.Depth.Waiting.N, r.ReadAt.Sub(rung))
		}
		for range 100 { // 100 ms of pushes
			x.push("q", 1)
			wait(time.Millisecond)
		}
		wait(10 * time.Millisecond)
		if r := b.Last("a"); r.Depth.Waiting.N != 101 {
			t.Errorf("%d waiting, want 101", r.Depth.Waiting.N)
		}
		if _, _, reads := x.counts(); reads-before > 12 {
			t.Errorf("%d reads in 110 ms, want at most one in 10 ms", reads-before)
		}
	})
}

func TestOnlyWhatWasRungIsRead(t *testing.T) {
	inBubble(t, backlog.Options{SafetyInterval: time.Hour}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		const watches = 5000
		for i := range watches {
			b.Watch(fmt.Sprint(i), watchOf("x", fmt.Sprint("q", i)))
		}
		wait(time.Second)
		x.set(func() { x.reads = nil })
		x.push("q7", 1)
		settle()
		if diff := cmp.Diff([][]string{{"q7"}}, x.reads); diff != "" {
			t.Errorf("reads (-want +got):\n%s", diff)
		}
		if opens, _, _ := x.counts(); opens != 1 {
			t.Errorf("%d connections, want 1", opens)
		}
	})
}

// lateClock has what waits for a moment go on when everything else has that happens at it.
type lateClock struct{ clock.RealClock }

func (c lateClock) NewTimer(d time.Duration) clock.Timer { return c.RealClock.NewTimer(d + 1) }

func TestWhatIsWatchedAtOneMomentIsReadInOneBatch(t *testing.T) {
	inBubble(t, backlog.Options{SafetyInterval: time.Hour, Clock: lateClock{}}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		b.Watch("a", watchOf("x", "q"))
		for i := range 20 {
			wait(time.Second)
			x.set(func() { x.reads = nil })
			for j := range 100 {
				b.Watch(fmt.Sprint(i, j), watchOf("x", fmt.Sprint("q", j)))
			}
			wait(time.Millisecond)
			if len(x.reads) != 1 || len(x.reads[0]) != 100 {
				t.Fatalf("round %d: %d reads, want 1 of 100 queues", i, len(x.reads))
			}
		}
	})
}

func TestHowOftenABrokerIsReadUnasked(t *testing.T) {
	cases := map[string]struct {
		polled   bool
		min, max int
	}{
		"one that pushes, every 5 s":       {false, 11, 15},
		"one that does not, every second ": {true, 54, 68},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, backlog.Options{}, func(t *testing.T, b *bubble) {
				x := b.brokers["x"]
				x.polled = c.polled
				b.Watch("a", watchOf("x", "q"))
				wait(time.Minute)
				if _, _, reads := x.counts(); reads < c.min || reads > c.max {
					t.Errorf("%d reads in a minute, want %d to %d", reads, c.min, c.max)
				}
			})
		})
	}
}

func TestABrokerThatIsDownIsTriedEverLessOften(t *testing.T) {
	inBubble(t, backlog.Options{}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		x.push("q", 3)
		b.Watch("a", watchOf("x", "q"))
		b.Keep("health", sourceAt("x"), true)
		wait(time.Second)
		good := b.Last("a")

		x.set(func() { x.down, x.opens = errDown, 0 })
		x.push("q", 1)
		failedAt := time.Now()
		wait(time.Minute)
		want := good
		want.Err, want.ErrSince, want.Told = errDown, failedAt, errDown
		if diff := cmp.Diff(want, b.Last("a"), cmp.Comparer(func(a, b error) bool { return errors.Is(a, b) || errors.Is(b, a) })); diff != "" {
			t.Errorf("while it is down (-want +got):\n%s", diff)
		}
		if x.opens < 12 || x.opens > 25 {
			t.Errorf("%d connections tried in a minute; want a few at first, then one in 5 s", x.opens)
		}
		asked := time.Now()
		if r := b.Read(t.Context(), "a"); !errors.Is(r.Err, errDown) || time.Since(asked) > 0 {
			t.Errorf("a fresh read took %s and has error %v; want the error at once", time.Since(asked), r.Err)
		}
		if n := b.wokenFor("a"); n != 2 {
			t.Errorf("woken %d times, want 2: at the first reading and at the failure, not at each try", n)
		}
		if h := b.Health("x"); !errors.Is(h.Err, errDown) || !h.Since.Equal(failedAt) {
			t.Errorf("Health = %+v, want the failure since %s", h, failedAt)
		}

		x.set(func() { x.down, x.closes, x.opens = nil, 0, 0 })
		wait(6 * time.Second)
		if r := b.Last("a"); r.Err != nil || r.Depth.Waiting.N != 4 {
			t.Errorf("when it is back: %+v, want 4 waiting", r)
		}
		if n := b.wokenFor("health"); n != 4 {
			t.Errorf("who looks at its health was woken %d times, want 4: for each change, and once it is known whose the claim is", n)
		}
	})
}

func TestABrokerThatHangsHoldsUpNoOther(t *testing.T) {
	inBubble(t, backlog.Options{ReadTimeout: 5 * time.Second}, func(t *testing.T, b *bubble) {
		x, y := b.brokers["x"], b.brokers["y"]
		b.Watch("a", watchOf("x", "q"))
		b.Watch("b", watchOf("y", "q"))
		wait(time.Second)
		x.set(func() { x.hang = true })
		x.push("q", 1)
		wait(time.Millisecond)
		y.push("q", 1)
		settle()
		if r := b.Last("b"); r.Depth.Waiting.N != 1 || r.Err != nil {
			t.Errorf("the other broker: %+v, want 1 waiting", r)
		}
		wait(5 * time.Second)
		if r := b.Last("a"); broker.ReasonOf(r.Err) != broker.ReasonTimeout || !r.Known {
			t.Errorf("the one that hangs: %+v, want a time-out", r)
		}
		x.set(func() { x.hang = false })
		wait(6 * time.Second)
		if r := b.Last("a"); r.Depth.Waiting.N != 1 || r.Err != nil {
			t.Errorf("when it goes on: %+v, want 1 waiting", r)
		}
	})
}

// A credential that cannot be looked up is no reason to give up a connection that works.
// errGone is a Secret that was deleted.
var errGone error = lasting{errors.New("there is no Secret")}

type lasting struct{ error }

func (lasting) Lasting() bool { return true }

func TestCredentialsAreLookedUpAgain(t *testing.T) {
	inBubble(t, backlog.Options{}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		var mu sync.Mutex
		config, failure, lookUps := redis.Config{Address: "x", Password: broker.NewSecret("one")}, error(nil), 0
		w := watchOf("x", "q")
		w.Source.Resolve = func(context.Context) (broker.Config, error) {
			mu.Lock()
			defer mu.Unlock()
			lookUps++
			return config, failure
		}
		change := func(password string, err error) {
			mu.Lock()
			defer mu.Unlock()
			config.Password, failure, lookUps = broker.NewSecret(password), err, 0
		}
		b.Watch("a", w)
		for _, step := range []struct {
			name     string
			password string
			err      error
			opens    int
		}{
			{"the same", "one", nil, 1},
			{"none to be had", "one", errors.New("the API server is away"), 1},
			{"another", "two", nil, 2},
			{"which stays", "two", nil, 2},
			{"none any more", "two", errGone, 2},
			{"there again", "two", nil, 3},
		} {
			change(step.password, step.err)
			wait(70 * time.Second)
			if opens, _, _ := x.counts(); opens != step.opens || lookUps == 0 {
				t.Errorf("%s: %d connections after %d look-ups, want %d", step.name, opens, lookUps, step.opens)
			}
			var want error
			if errors.Is(step.err, errGone) {
				want = errGone
			}
			if r := b.Last("a"); !errors.Is(r.Err, want) || !r.Known {
				t.Errorf("%s: the reading is %+v", step.name, r)
			}
			if most := 3; want == nil && lookUps > most {
				t.Errorf("%s: %d look-ups, want at most %d", step.name, lookUps, most)
			}
		}
	})
}

// A pod that comes while its queue is being read may take a task: the answer would miss it.
func TestAnAnswerForOtherWorkersIsNotTaken(t *testing.T) {
	inBubble(t, backlog.Options{SafetyInterval: time.Hour}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		b.Watch("a", watchOf("x", "q", "p1"))
		wait(time.Second)
		once := sync.OnceFunc(func() { b.Watch("a", watchOf("x", "q", "p1", "p2")) })
		x.set(func() { x.before = func([]broker.Query) { once() } })
		r := b.Read(t.Context(), "a")
		if _, ok := r.Depth.Held["p2"]; !ok || r.Err != nil {
			t.Errorf("the reading is %+v, want one that has p2", r)
		}
	})
}

// Pods that go while their queue is being read do not have it read again: a slow broker would never be done with a fleet
// whose workers leave one after another.
func TestAnAnswerForMoreWorkersIsTaken(t *testing.T) {
	inBubble(t, backlog.Options{SafetyInterval: time.Hour}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		b.Watch("a", watchOf("x", "q", "p1", "p2", "p3"))
		wait(time.Second)
		x.set(func() { x.before = func([]broker.Query) { <-time.After(2 * time.Second) } })
		request := b.Request("a")
		wait(time.Second)
		b.Watch("a", watchOf("x", "q", "p3", "p1"))
		wait(time.Second + ms)
		if len(request) == 0 || b.Last("a").Err != nil {
			t.Errorf("after 2 s: %+v, and %d answers, want one", b.Last("a"), len(request))
		}
	})
}

func TestReadOfWhatIsForgottenIsNoReading(t *testing.T) {
	inBubble(t, backlog.Options{SafetyInterval: time.Hour}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		b.Watch("a", watchOf("x", "q"))
		b.Watch("other", watchOf("x", "r"))
		wait(time.Second)
		x.set(func() { x.before = func([]broker.Query) { b.Forget("a") } })
		if r := b.Read(t.Context(), "a"); r.Err == nil {
			t.Errorf("the reading is %+v, want an error", r)
		}
		if r := b.Read(t.Context(), "a"); r.Known {
			t.Errorf("the reading is %+v, want none", r)
		}
		if r := b.Read(t.Context(), "other"); r.Err != nil || !r.Known {
			t.Errorf("the other is %+v, want a good one", r)
		}
	})
}

func TestWhatKeepsTheReading(t *testing.T) {
	inBubble(t, backlog.Options{SafetyInterval: time.Hour}, func(t *testing.T, b *bubble) {
		b.brokers["x"].push("q", 5)
		b.brokers["y"].push("q", 6)
		cases := []struct {
			name  string
			watch backlog.Watch
			keeps bool
			then  int64
		}{
			{"another Significant", watchOf("x", "q", "p1"), true, 5},
			{"another worker", watchOf("x", "q", "p1", "p2"), true, 5},
			{"another queue", watchOf("x", "r"), false, 0},
			{"another broker", watchOf("y", "q"), false, 6},
		}
		for _, c := range cases {
			b.Watch("a", watchOf("x", "q", "p1"))
			wait(time.Second)
			b.Watch("a", c.watch)
			if r := b.Last("a"); r.Known != c.keeps {
				t.Errorf("%s: the reading is %+v at first; kept = %t, want %t", c.name, r, r.Known, c.keeps)
			}
			wait(time.Second)
			if r := b.Last("a"); !r.Known || r.Depth.Waiting.N != c.then {
				t.Errorf("%s: then %+v, want %d waiting", c.name, r, c.then)
			}
		}
	})
}

// Many goroutines do everything at once, for the race detector; in the end every queue is known.
func TestChurn(t *testing.T) {
	inBubble(t, backlog.Options{}, func(t *testing.T, b *bubble) {
		var group sync.WaitGroup
		for worker := range 8 {
			group.Go(func() {
				random := rand.New(rand.NewSource(int64(worker)))
				for range 500 {
					key := fmt.Sprint(random.Intn(20))
					switch random.Intn(5) {
					case 0, 1:
						b.Watch(key, watchOf([]string{"x", "y"}[random.Intn(2)], fmt.Sprint("q", random.Intn(5))))
					case 2:
						b.Forget(key)
					case 3:
						b.brokers["x"].push(fmt.Sprint("q", random.Intn(5)), 1)
					case 4:
						b.Read(t.Context(), key)
					}
				}
			})
		}
		group.Wait()
		for i := range 20 {
			b.Watch(fmt.Sprint(i), watchOf("x", "q1"))
		}
		wait(time.Second)
		for i := range 20 {
			if r := b.Last(fmt.Sprint(i)); !r.Known || r.Err != nil || r.Depth.Waiting.N != b.brokers["x"].depth["q1"] {
				t.Errorf("%d: %+v, want %d waiting", i, r, b.brokers["x"].depth["q1"])
			}
		}
	})
}
