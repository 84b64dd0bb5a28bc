package scaling

import (
	"testing"
	"time"
)

func TestWindow(t *testing.T) {
	type step struct {
		after time.Duration // since the step before
		asked int64
		want  int64
		falls time.Duration // from now, 0 for never
	}
	cases := map[string][]step{
		"up is immediate": {{0, 1, 1, 0}, {time.Second, 5, 5, 0}},
		"down waits for the delay, from the last moment of the higher demand": {
			{0, 5, 5, 0}, {10 * time.Minute, 2, 5, delay}, {29 * time.Second, 2, 5, time.Second}, {time.Second, 2, 2, 0},
		},
		"the highest of the window counts": {
			{0, 5, 5, 0}, {time.Second, 2, 5, delay}, {time.Second, 4, 5, 29 * time.Second},
			{29 * time.Second, 1, 4, delay}, {delay, 1, 1, 0},
		},
		"a short peak renews it": {
			{0, 5, 5, 0}, {time.Second, 1, 5, delay}, {20 * time.Second, 7, 7, 0}, {time.Second, 1, 7, delay},
		},
		"as many again begin no second peak": {
			{0, 5, 5, 0}, {time.Second, 5, 5, 0}, {time.Second, 1, 5, delay}, {delay, 1, 1, 0},
		},
	}
	for name, steps := range cases {
		t.Run(name, func(t *testing.T) {
			var w window
			now := t0
			for i, s := range steps {
				now = now.Add(s.after)
				var got int64
				var falls, wantFalls time.Time
				w, got, falls = w.add(now, s.asked, delay)
				if s.falls > 0 {
					wantFalls = now.Add(s.falls)
				}
				if got != s.want || !falls.Equal(wantFalls) {
					t.Errorf("step %d: add(%d) = %d, falls %v; want %d, falls %v", i, s.asked, got, falls, s.want, wantFalls)
				}
			}
		})
	}
	t.Run("no delay holds nothing", func(t *testing.T) {
		w, _, _ := window{}.add(t0, 5, 0)
		if _, got, _ := w.add(t0, 1, 0); got != 1 {
			t.Errorf("add = %d, want 1", got)
		}
	})
}

// Messages of workers that are on their way out need no other worker, for what is left of the window too.
func TestWindowWithout(t *testing.T) {
	w, _, _ := window{}.add(t0, 8, delay)
	w = w.without(2)
	w, highest, _ := w.add(t0.Add(time.Second), 6, delay)
	if highest != 6 {
		t.Errorf("highest = %d, want 6: two of the eight are taken out", highest)
	}
	if _, highest, _ := w.add(t0.Add(2*time.Second), 1, delay); highest != 6 {
		t.Errorf("highest = %d, want 6: the rest is not", highest)
	}
	if _, highest, _ := w.without(9).add(t0.Add(2*time.Second), 0, delay); highest != 0 {
		t.Errorf("highest = %d, want 0: there were no more to take out", highest)
	}
}

// Counts that nobody knows are remembered as the last that somebody knew, and not as zero.
func TestUnknownCountsAreNotRememberedAsZero(t *testing.T) {
	unknown := Queue{Waiting: Counted(0)} // what is in flight is not known
	f := newFleet(scale(0, 20), 0)
	f.sees(0, queued(0, 10, 0))
	for range 2 * int(delay/time.Second) {
		if d := f.sees(time.Second, unknown); d.Finishing != 0 {
			t.Fatalf("%d are finishing, and none leaves: %+v", d.Finishing, d.Notes)
		}
	}
	if d := f.sees(time.Second, queued(0, 0, 0)); d.Desired != 10 {
		t.Errorf("at the first certain reading %d are desired, want 10 until the delay has passed", d.Desired)
	}
	if d := f.sees(delay, queued(0, 0, 0)); d.Desired != 0 {
		t.Errorf("after the delay %d are desired, want 0", d.Desired)
	}
	t.Run("nor what those need who leave", func(t *testing.T) {
		f := newFleet(scale(0, 20), 0)
		f.sees(0, queued(10, 3, 3))
		before := f.sees(time.Second, queued(4, 3, 3)).Finishing
		for range 3 {
			f.sees(time.Second, Queue{Waiting: Counted(4), Leaving: 3})
			f.sees(time.Second, queued(4, 3, 3))
		}
		if f.Finishing != before {
			t.Errorf("%d are finishing, want %d as before", f.Finishing, before)
		}
	})
}
