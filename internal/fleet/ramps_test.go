package fleet

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/internal/bubbletest"
	"github.com/quickube/qscaler/internal/planner"
)

// A QWorker that is gone leaves nothing to go on with.
func TestTheRampOfAQWorkerThatIsGoneIsForgotten(t *testing.T) {
	f := newBehind().Fleets
	f.ramps.keep(owner().UID, 8)
	f.Forget(owner().UID)
	if n := len(f.ramps.batch); n != 0 {
		t.Errorf("%d are held, want none", n)
	}
}

// Creations that take long go on in the next round where they were, and start slowly again once they are quick.
func TestCreationsThatTakeLongGoOnInTheNextRound(t *testing.T) {
	for name, c := range map[string]struct {
		each time.Duration // of a creation
		want []int         // by round, how many were created
	}{
		"they are quick":                   {each: 0, want: []int{20, 20, 20}},
		"the time is not up":               {each: createFor/4 - 1, want: []int{20, 20, 20}}, // 1 2 4 8 5
		"the time is up after one":         {each: createFor, want: []int{1, 2, 4, 8, 16, 20, 1}},
		"the time is up after two of them": {each: createFor / 2, want: []int{1 + 2, 4 + 8, 16 + 4, 1 + 2}},
	} {
		t.Run(name, func(t *testing.T) {
			bubbletest.Run(t, func(t *testing.T) {
				r := newRamps(clock.RealClock{})
				var got []int
				for range c.want {
					done, err := r.slowStart("uid", make([]planner.Action, 20), func(planner.Action) error {
						<-time.After(c.each)
						return nil
					})
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, len(done))
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("created by round (-want +got):\n%s", diff)
				}
			})
		})
	}
}
