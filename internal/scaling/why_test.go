package scaling

import (
	"math"
	"testing"
	"time"
)

// The line that tells a person why there are so many workers adds up: each number in it follows from those before.
func TestWhy(t *testing.T) {
	byWorker := func(s Scale) Scale { s.ByWorker = true; return s }
	cases := map[string]struct {
		scale  Scale
		before int
		sees   []Queue // a second apart
		want   string
	}{
		"one worker for each message": {
			scale(0, 10), 0, []Queue{queued(4, 3, 0)}, "the queue asks for 7 workers: 4 waiting + 3 in flight",
		},
		"an empty queue": {scale(0, 10), 0, []Queue{queued(0, 0, 0)}, "the queue asks for 0 workers: 0 waiting + 0 in flight"},
		"a message that a leaving worker finishes": {
			scale(0, 10), 0, []Queue{queued(4, 3, 1)}, "the queue asks for 6 workers: 4 waiting + 3 in flight - 1 that leaving workers finish",
		},
		"more of those than are known": {
			scale(0, 10), 0, []Queue{queued(0, 1, 5)}, "the queue asks for 0 workers: 0 waiting + 1 in flight - 1 that leaving workers finish",
		},
		"a factor": {
			scale(0, 10).each(1, 2), 0, []Queue{queued(4, 3, 0)}, "the queue asks for 4 workers: (4 waiting + 3 in flight) x 0.5 = 3.5, rounded up",
		},
		"a factor that leaves no rest": {
			scale(0, 20).each(2, 1), 0, []Queue{queued(4, 3, 0)}, "the queue asks for 14 workers: (4 waiting + 3 in flight) x 2 = 14",
		},
		"messages for a worker": {
			byWorker(scale(0, 10).each(1, 3)), 0, []Queue{queued(4, 3, 0)}, "the queue asks for 3 workers: (4 waiting + 3 in flight) / 3 = 2.3333, rounded up",
		},
		"a factor with more places than are shown": {
			scale(0, 10).each(1, 100_000), 0, []Queue{queued(4, 3, 0)}, "the queue asks for 1 worker: (4 waiting + 3 in flight) x 1/100000 = 0.0001, rounded up",
		},
		"more than there may be": {
			scale(0, 4), 0, []Queue{queued(12, 0, 0)}, "the queue asks for 12 workers: 12 waiting + 0 in flight; maxReplicas allows 4",
		},
		"fewer than there are to be": {
			scale(2, 4), 0, []Queue{queued(1, 0, 0)}, "the queue asks for 1 worker: 1 waiting + 0 in flight; minReplicas keeps 2",
		},
		"what was asked for a moment ago still holds": {
			scale(0, 10), 0, []Queue{queued(6, 0, 0), queued(0, 0, 0)},
			"the queue asks for 0 workers: 0 waiting + 0 in flight; 6 held until 03:04:37Z by scaleDownDelay (30s)",
		},
		"and is bounded by the maximum": {
			scale(0, 4), 0, []Queue{queued(6, 0, 0), queued(5, 0, 0)},
			"the queue asks for 5 workers: 5 waiting + 0 in flight; 6 held until 03:04:37Z by scaleDownDelay (30s); maxReplicas allows 4",
		},
		"workers that leave finish some": {
			scale(0, 10), 0, []Queue{queued(0, 4, 0), queued(0, 4, 1), queued(0, 2, 1)},
			"the queue asks for 1 worker: 0 waiting + 2 in flight - 1 that leaving workers finish; 4 held until 03:04:37Z by scaleDownDelay (30s); 1 of 4 is for messages that leaving workers finish: nobody is created for those",
		},
		"a queue that was never read": {scale(0, 10), 3, []Queue{{}}, "the queue has not been read yet"},
		"and there is a minimum":      {scale(2, 10), 0, []Queue{{}}, "the queue has not been read yet; minReplicas keeps 2"},
		"a queue that cannot be read any more": {
			scale(0, 10), 0, []Queue{queued(4, 0, 0), queued(4, 0, 0).stale()}, "when it was last read, the queue asked for 4 workers: 4 waiting + 0 in flight",
		},
		"a broker that does not count what is in flight": {
			scale(0, 10), 0, []Queue{{Waiting: Counted(4)}}, "the queue asks for 4 workers: 4 waiting + an unknown number in flight",
		},
		"and fewer wait": {
			scale(0, 10), 0, []Queue{{Waiting: Counted(4)}, {Waiting: Counted(1)}},
			"the queue asks for 1 worker: 1 waiting + an unknown number in flight; 4 stay while not all messages can be counted",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFleet(c.scale, c.before)
			for _, q := range c.sees {
				f.sees(time.Second, q)
			}
			if got := f.Why(); got != c.want {
				t.Errorf("why %d:\n%s\nwant\n%s", f.Desired, got, c.want)
			}
		})
	}
}

// The number that a fleet is held at for an outage is one that the queue asked for before.
func TestWhyInAnOutage(t *testing.T) {
	for before, stay := range map[int64]string{1: "1 stays", 11: "11 stay"} {
		f := newFleet(scale(0, 20), 0)
		f.sees(0, queued(before, 0, 0))
		f.sees(time.Second, queued(0, 0, 0))
		f.sees(2*delay, queued(0, 0, 0).stale())
		want := "when it was last read, the queue asked for 0 workers: 0 waiting + 0 in flight; " + stay + " until the queue can be read again"
		if got := f.Why(); got != want {
			t.Errorf("why %d:\n%s\nwant\n%s", f.Desired, got, want)
		}
	}
}

func TestAskedIsWhatTheQueueWants(t *testing.T) {
	for _, c := range []struct {
		queue Queue
		want  int64
	}{{Queue{}, 0}, {queued(12, 0, 0), 12}, {queued(0, 0, 0), 0}, {queued(math.MaxInt64, 1, 0), math.MaxInt64}} {
		if got := Decide(Input{Now: t0, Scale: scale(1, 4), Before: 3, Queue: c.queue}).Asked; got != c.want {
			t.Errorf("of %+v %d are asked for, want %d", c.queue, got, c.want)
		}
	}
}
