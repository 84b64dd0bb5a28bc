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
	}
	cases := map[string][]seen{
		"each that has done its task is one fewer": {
			{queued(4, 0, 0), 0, 4}, {queued(0, 4, 0), 4, 4}, {queued(0, 2, 0), 2, 2}, {queued(0, 0, 0), 0, 0},
		},
		"one that has yet to end is held": {{queued(0, 2, 0), 2, 2}, {queued(0, 1, 0), 2, 2}, {queued(0, 1, 0), 1, 1}},
		"what is asked for now counts":    {{queued(0, 2, 0), 2, 2}, {queued(3, 0, 0), 0, 3}},
	}
	for name, sees := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFleet(scale(0, 10), 0)
			f.in.EndAfterTask = true
			for i, s := range sees {
				f.in.Workers = s.workers
				if d := f.sees(time.Second, s.queue); d.Desired != s.want {
					t.Errorf("decision %d: %d, want %d: %+v", i, d.Desired, s.want, d.Notes)
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
