package planner

import (
	"math"
	"math/big"
	"testing"
	"time"
)

func TestSize(t *testing.T) {
	cases := map[string]struct {
		messages int64
		r        Range
		want     int
		limit    Limit
	}{
		"one worker for each message":                  {3, Range{0, 10, big.NewRat(1, 1)}, 3, Unlimited},
		"nothing for nothing":                          {0, Range{0, 10, big.NewRat(1, 1)}, 0, Unlimited},
		"two workers for each message":                 {3, Range{0, 10, big.NewRat(2, 1)}, 6, Unlimited},
		"a tenth of 30 is 3, not 4":                    {30, Range{0, 10, big.NewRat(1, 10)}, 3, Unlimited},
		"a part of a worker is a worker":               {31, Range{0, 10, big.NewRat(1, 10)}, 4, Unlimited},
		"not above the maximum":                        {30, Range{0, 10, big.NewRat(1, 1)}, 10, AtMaximum},
		"not below the minimum":                        {0, Range{2, 10, big.NewRat(1, 1)}, 2, AtMinimum},
		"a negative count, which no broker may give":   {-5, Range{0, 10, big.NewRat(1, 1)}, 0, Unlimited},
		"more messages than an int64 times the factor": {math.MaxInt64, Range{0, 10, big.NewRat(1000, 1)}, 10, AtMaximum},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, limit := c.r.Clamp(c.r.Asked(c.messages))
			if got != c.want || limit != c.limit {
				t.Errorf("Clamp(Asked) = %d, %q, want %d, %q", got, limit, c.want, c.limit)
			}
		})
	}
}

func TestWindow(t *testing.T) {
	const delay = 30 * time.Second
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
	}
	for name, steps := range cases {
		t.Run(name, func(t *testing.T) {
			var w Window
			now := t0
			for i, s := range steps {
				now = now.Add(s.after)
				got, falls := w.Add(now, s.asked, delay)
				wantFalls := time.Time{}
				if s.falls > 0 {
					wantFalls = now.Add(s.falls)
				}
				if got != s.want || !falls.Equal(wantFalls) {
					t.Errorf("step %d: Add(%d) = %d, falls %v; want %d, falls %v", i, s.asked, got, falls, s.want, wantFalls)
				}
			}
		})
	}
	t.Run("no delay holds nothing", func(t *testing.T) {
		var w Window
		w.Add(t0, 5, 0)
		if got, _ := w.Add(t0, 1, 0); got != 1 {
			t.Errorf("Add = %d, want 1", got)
		}
	})
}

// Messages of workers that have leave need no other worker, for what is left of the window too.
func TestWindowExcuses(t *testing.T) {
	var w Window
	w.Add(t0, 8, 30*time.Second)
	w.Excuse(2)
	if highest, _ := w.Add(t0.Add(time.Second), 6, 30*time.Second); highest != 6 {
		t.Errorf("highest = %d, want 6: two of the eight are excused", highest)
	}
	if highest, _ := w.Add(t0.Add(2*time.Second), 1, 30*time.Second); highest != 6 {
		t.Errorf("highest = %d, want 6: the rest is not", highest)
	}
}
