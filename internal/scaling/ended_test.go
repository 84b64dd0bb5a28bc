package scaling

import (
	"testing"
	"time"
)

// Where workers end after their task, the window holds those that are there, and asks for no others.
func TestWorkersThatHaveEndedAreNotHeld(t *testing.T) {
	type seen struct {
		queue   Queue
		workers int
		want    int
		until   time.Duration // from now, 0 for never
	}
	cases := map[string][]seen{
		"each that has done its task is one fewer": {
			{queued(4, 0, 0), 0, 4, 0}, {queued(0, 4, 0), 4, 4, 0}, {queued(0, 2, 0), 2, 2, 0}, {queued(0, 0, 0), 0, 0, 0},
		},
		"one that has yet to end is held": {{queued(0, 2, 0), 2, 2, 0}, {queued(0, 1, 0), 2, 2, delay}, {queued(0, 1, 0), 1, 1, 0}},
		"what is asked for now counts":    {{queued(0, 2, 0), 2, 2, 0}, {queued(3, 0, 0), 0, 3, 0}},
	}
	for name, sees := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFleet(scale(0, 10), 0)
			f.in.EndAfterTask = true
			for i, s := range sees {
				f.in.Workers = s.workers
				d := f.sees(time.Second, s.queue)
				var until time.Time
				if s.until > 0 {
					until = f.in.Now.Add(s.until)
				}
				if got := d.Note(Window).Until; d.Desired != s.want || !got.Equal(until) {
					t.Errorf("decision %d: %d, the window until %v; want %d, until %v: %+v", i, d.Desired, got, s.want, until, d.Notes)
				}
			}
		})
	}
	t.Run("without the field all are held", func(t *testing.T) {
		f := newFleet(scale(0, 10), 0)
		f.sees(0, queued(4, 0, 0))
		if d := f.sees(time.Second, queued(0, 0, 0)); d.Desired != 4 {
			t.Errorf("%d are desired, want 4", d.Desired)
		}
	})
}
