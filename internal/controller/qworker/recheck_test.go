package qworker

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWhenToLookAgain(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	cases := map[string]struct {
		ats         []time.Time
		again       bool
		after, most time.Duration // most is within a second
	}{
		"nothing changes by time alone":   {nil, false, 0, time.Second},
		"zero is never":                   {[]time.Time{{}}, false, 0, time.Second},
		"what is now has been dealt with": {[]time.Time{now}, false, 0, time.Second},
		"the first of two":                {[]time.Time{now.Add(3 * time.Second), now.Add(2 * time.Second)}, false, 2 * time.Second, time.Second},
		"the first of two, told first":    {[]time.Time{now.Add(20 * time.Millisecond), now.Add(time.Second)}, false, 20 * time.Millisecond, 20 * time.Millisecond},
		"there is more to do at once":     {[]time.Time{now.Add(time.Second)}, true, time.Millisecond, time.Millisecond},
		"its time comes before one looks": {[]time.Time{now.Add(1)}, false, time.Millisecond, time.Millisecond},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := recheck{from: now, again: c.again}
			for _, at := range c.ats {
				r.recheckAt(at)
			}
			got := []time.Duration{r.after(now), r.within(now, time.Second)}
			if diff := cmp.Diff([]time.Duration{c.after, c.most}, got); diff != "" {
				t.Errorf("after and within (-want +got):\n%s", diff)
			}
		})
	}
}
