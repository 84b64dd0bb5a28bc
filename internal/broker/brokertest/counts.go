package brokertest

import (
	"cmp"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// check compares a depth with what is there. A number that the broker cannot tell must say so.
func check(t *testing.T, h Harness, d broker.Depth, waiting, inFlight int64, held map[string]int64) {
	t.Helper()
	if d.Waiting != broker.CountOf(waiting) {
		t.Errorf("waiting %+v, want %d", d.Waiting, waiting)
	}
	if d.InFlight.Known != h.InFlight || (h.InFlight && d.InFlight.N != inFlight) {
		t.Errorf("in flight %+v, want %d (known: %t)", d.InFlight, inFlight, h.InFlight)
	}
	if !h.ByWorker && d.Held != nil {
		t.Errorf("by worker %v, want nil: the broker does not keep messages by worker", d.Held)
	}
	if len(d.Held) > len(held) {
		t.Errorf("by worker %v, want none but those of %v", d.Held, held)
	}
	for pod, n := range held {
		want := h.ByWorker && (n > 0 || !h.BusyOnly)
		if got, known := d.Held[pod]; known != want || (known && got != n) {
			t.Errorf("%s holds %d (known: %t), want %d (known: %t)", pod, got, known, n, want)
		}
	}
}

func missingQueue(t *testing.T, h Harness) {
	s := h.Start(t)
	d := open(t, h, s.Settings())
	q := h.query("never-seen", "w")
	if h.Declare == nil {
		check(t, h, depth(t, d, q), 0, 0, map[string]int64{"w": 0})
	} else {
		s.Push("q", 3)
		for range 2 { // it may be asked for again, and takes nothing with it
			answers, err := d.Depths(t.Context(), []broker.Query{q, h.query("q")})
			if err != nil || len(answers) != 2 {
				t.Fatalf("%+v, %v; want two answers", answers, err)
			}
			failsFor(t, answers[0].Err, broker.ReasonQueueNotFound)
			check(t, h, answers[1].Depth, 3, 0, nil)
		}
		h.declare(s, "never-seen")
		check(t, h, depth(t, d, q), 0, 0, map[string]int64{"w": 0})
	}
	if _, err := d.Depths(t.Context(), nil); err != nil {
		t.Errorf("asked for no queue, it answers: %v", err)
	}
}

func waitingAndInFlight(t *testing.T, h Harness) {
	s := h.Start(t)
	d := open(t, h, s.Settings())
	q := h.query("q", "w1", "w2", "idle")
	steps := []struct {
		name              string
		do                func()
		waiting, inFlight int64
		held              map[string]int64
	}{
		{"pushed", func() { s.Push("q", 5); s.Push("other", 7) }, 5, 0, map[string]int64{"w1": 0, "w2": 0, "idle": 0}},
		{"taken", func() { s.Take("q", worker("w1"), 2); s.Take("q", worker("w2"), 1) }, 2, 3, map[string]int64{"w1": 2, "w2": 1, "idle": 0}},
		{"acknowledged", func() { s.Acknowledge("q", worker("w1"), 1) }, 2, 2, map[string]int64{"w1": 1, "w2": 1, "idle": 0}},
		{"all taken", func() { s.Take("q", worker("w1"), 2) }, 0, 4, map[string]int64{"w1": 3, "w2": 1, "idle": 0}},
		{"all done", func() { s.Acknowledge("q", worker("w1"), 3); s.Acknowledge("q", worker("w2"), 1) }, 0, 0, map[string]int64{"w1": 0, "w2": 0, "idle": 0}},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			together(s, step.do)
			check(t, h, depth(t, d, q), step.waiting, step.inFlight, step.held)
		})
	}
	check(t, h, depth(t, d, h.query("other")), 7, 0, nil)
}

// books bound how many messages there are at any moment: a step has begun before its command is sent, and is done
// once it was answered.
type books struct{ pushing, pushed, acknowledging, acknowledged atomic.Int64 }

// motion reads while producers and workers are at it. A message that moves must be counted at least once, whichever
// way it goes; where the broker cannot say what is in flight, only that no more wait than were pushed.
func motion(t *testing.T, h Harness) {
	s := h.Start(t)
	h.declare(s, "q")
	d := open(t, h, s.Settings())
	const workers = 3
	rounds, leastReads := 200, int64(20)
	if h.Lags {
		rounds, leastReads = 3, 5
	}
	var (
		b     books
		pods  []string
		group sync.WaitGroup
		busy  atomic.Int32
		reads atomic.Int64
		over  atomic.Bool
	)
	defer group.Wait()
	defer over.Store(true)
	for i := range workers {
		pod := fmt.Sprint("w", i)
		pods = append(pods, pod)
		busy.Add(1)
		group.Go(func() {
			defer busy.Add(-1)
			for i := 0; !over.Load() && (i < rounds || reads.Load() < leastReads); i++ {
				b.pushing.Add(2)
				s.Push("q", 2)
				b.pushed.Add(2)
				n := int64(s.Take("q", worker(pod), 2))
				b.acknowledging.Add(n)
				s.Acknowledge("q", worker(pod), int(n))
				b.acknowledged.Add(n)
			}
		})
	}
	q := h.query("q", pods...)
	for ; busy.Load() > 0; reads.Add(1) {
		if h.Lags {
			<-time.After(50 * time.Millisecond) // the steps are slow, and must have their turn with the server
		}
		// What was acknowledged before the read began is not to be seen; what is not when it has ended is.
		acknowledged, pushed := b.acknowledged.Load(), b.pushed.Load()
		got := depth(t, d, q)
		least, most := pushed-b.acknowledging.Load(), b.pushing.Load()-acknowledged
		n := got.Waiting.N + got.InFlight.N
		if n > most || (got.InFlight.Known && n < least) {
			t.Fatalf("read %d found %+v; there were %d to %d messages", reads.Load(), got, least, most)
		}
	}
}

// thousands has many queues answered at once, in order, in as few round trips as the driver says.
func thousands(t *testing.T, h Harness) {
	s := h.Start(t)
	p := newProxy(t, s.Settings())
	d := open(t, h, p.settings())
	queues := cmp.Or(h.Queues, 3000)
	queries := make([]broker.Query, queues)
	names, pods := make([]string, queues), make([]string, queues)
	for i := range queries {
		pods[i] = fmt.Sprint("w-", i%7)
		names[i] = fmt.Sprint("q-", i)
		queries[i] = h.query(names[i], pods[i])
	}
	h.declare(s, names...)
	together(s, func() {
		for i := 0; i < queues; i += 100 {
			s.Push(queries[i].Queue, i/100+1+i/200)
			s.Take(queries[i].Queue, worker(pods[i]), i/200)
		}
	})
	var answers []broker.Answer
	read := func() {
		var err error
		if answers, err = d.Depths(t.Context(), queries); err != nil || len(answers) != queues {
			t.Fatalf("%d answers, %v; want %d", len(answers), err, queues)
		}
	}
	read() // whatever is said once is said now
	if h.Rounds > 0 {
		p.hold(p.heardSince(read))
		read()
	}
	for i, a := range answers {
		waiting, held := int64(0), int64(0)
		if i%100 == 0 {
			waiting, held = int64(i/100+1), int64(i/200)
		}
		if a.Err != nil {
			t.Errorf("its error is %v", a.Err)
		}
		check(t, h, a.Depth, waiting, held, map[string]int64{pods[i]: held})
		if t.Failed() {
			t.Fatalf("that is %s of %d queues", queries[i].Queue, queues)
		}
	}
	if got := p.rounds(); h.Rounds > 0 && got > h.Rounds {
		t.Errorf("%d queues took %d round trips, want %d at most", queues, got, h.Rounds)
	}
}

func severalCallers(t *testing.T, h Harness) {
	s := h.Start(t)
	d := open(t, h, s.Settings())
	const callers = 8
	h.declare(s, "empty")
	together(s, func() {
		for i := range callers {
			h.declare(s, fmt.Sprint("q", i))
			s.Push(fmt.Sprint("q", i), i)
		}
	})
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			for range 50 {
				answers, err := d.Depths(t.Context(), []broker.Query{h.query(fmt.Sprint("q", i)), h.query("empty")})
				if err != nil || len(answers) != 2 {
					t.Errorf("caller %d was answered %+v, %v", i, answers, err)
					return
				}
				if answers[0].Depth.Waiting != broker.CountOf(int64(i)) || answers[1].Depth.Waiting != broker.CountOf(0) {
					t.Errorf("caller %d was answered %+v", i, answers)
				}
			}
		})
	}
	group.Wait()
}
