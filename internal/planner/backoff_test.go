package planner

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFailureLevel(t *testing.T) {
	cases := map[string]struct {
		createdAt int
		ran       time.Duration
		want      int
	}{
		"the first failure":                    {0, time.Second, 1},
		"the third, and a hair below 10 min":   {2, 10*time.Minute - 1, 3},
		"one that ran for 10 min begins anew":  {2, 10 * time.Minute, 1},
		"one that ran for longer begins anew":  {2, time.Hour, 1},
		"one that never ran is one more":       {1, 0, 2},
		"one whose clock went back is one too": {1, -time.Second, 2},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := FailureLevel(c.createdAt, c.ran); got != c.want {
				t.Errorf("FailureLevel = %d, want %d", got, c.want)
			}
		})
	}
}

func TestBackOff(t *testing.T) {
	none := BackOff{Revision: "r1"}
	after := func(level int, pause time.Duration) BackOff {
		return BackOff{Revision: "r1", Level: level, Until: t0.Add(pause)}
	}
	cases := map[string]struct {
		pods []worker
		want BackOff
	}{
		"nothing failed": {[]worker{makeWorker("a")}, none},
		"one failure": {
			[]worker{makeWorker("a").failed(1, time.Second)}, after(1, 9*time.Second),
		},
		"the level is the highest, and the time that of the last": {
			[]worker{makeWorker("a").failed(2, time.Second), makeWorker("b").failed(3, 5*time.Second)}, after(3, 39*time.Second),
		},
		"in whatever order": {
			[]worker{makeWorker("b").failed(3, 5*time.Second), makeWorker("a").failed(2, time.Second)}, after(3, 39*time.Second),
		},
		"an eviction afterwards is no failure": {
			[]worker{makeWorker("a").failed(1, 5*time.Second), makeWorker("b").failed(0, time.Second)}, after(1, 5*time.Second),
		},
		"an eviction alone holds nothing back": {[]worker{makeWorker("a").failed(0, time.Second)}, none},
		"another revision's failure is its own": {
			[]worker{makeWorker("a").of("r2").failed(3, time.Second)}, none,
		},
		"a pod that was created since, and has run for 10 min, ends it": {
			[]worker{makeWorker("a").failed(7, 10*time.Minute+time.Second), makeWorker("b").age(10 * time.Minute)}, none,
		},
		"not one that has run for less": {
			[]worker{makeWorker("a").failed(7, 10*time.Minute), makeWorker("b").age(10*time.Minute - 1)}, after(7, 0),
		},
		"not one that was created before": {
			[]worker{makeWorker("a").failed(1, time.Second), makeWorker("b").age(time.Hour)}, after(1, 9*time.Second),
		},
		"not one that was created at the same moment": {
			[]worker{makeWorker("a").failed(7, 10*time.Minute), makeWorker("b").age(10 * time.Minute)}, after(7, 0),
		},
		"not one that does not run": {
			[]worker{makeWorker("a").failed(7, 10*time.Minute+time.Second), makeWorker("b").age(10 * time.Minute).phase(Pending)}, after(7, -time.Second),
		},
		"it is remembered for a hair less than 10 min after its end": {
			[]worker{makeWorker("a").failed(1, 10*time.Second+10*time.Minute-1)}, after(1, 1-10*time.Minute),
		},
		"and forgotten then": {[]worker{makeWorker("a").failed(1, 10*time.Second+10*time.Minute)}, none},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, backOffFor("r1", steady(1, c.pods...))); diff != "" {
				t.Errorf("the back-off (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBudget(t *testing.T) {
	type budget struct{ Surge, Unavailable int }
	cases := map[string]struct {
		desired            int
		surge, unavailable Amount
		want               budget
	}{
		"numbers are numbers":                               {10, Pods(3), Pods(2), budget{3, 2}},
		"a percentage that comes out even":                  {8, Percent(25), Percent(25), budget{2, 2}},
		"a surge is rounded up, an unavailability down":     {9, Percent(25), Percent(25), budget{3, 2}},
		"also from a hundredth above, and below":            {101, Percent(1), Percent(99), budget{2, 99}},
		"no more can be unavailable than there shall be":    {3, Pods(0), Pods(5), budget{0, 3}},
		"where neither leaves room, one may be unavailable": {3, Pods(0), Percent(25), budget{0, 1}},
		"the most pods of the most":                         {mostPods, Pods(math.MaxInt32), Pods(math.MaxInt32), budget{mostPods, mostPods}},
		"the most percent of the most":                      {mostPods, Percent(999_999), Percent(100), budget{mostPods, mostPods}},
		"not where there is none":                           {0, Percent(25), Percent(25), budget{0, 0}},
		"nor where there is a surge":                        {3, Pods(1), Pods(0), budget{1, 0}},
		"nor where there is an unavailability already":      {9, Pods(0), Pods(2), budget{0, 2}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			surge, unavailable := steady(c.desired).surge(c.surge).unavailable(c.unavailable).budget()
			if diff := cmp.Diff(c.want, budget{surge, unavailable}); diff != "" {
				t.Errorf("the budget (-want +got):\n%s", diff)
			}
		})
	}
}

// Where nobody knows what the last worker of a revision has done, the next is not created before its time.
func TestPacedCreation(t *testing.T) {
	f := steady(2)
	f.Paced = map[string]time.Time{f.Newest: t0.Add(time.Second)}
	if d := Plan(f); len(d.Actions) > 0 || !d.RecheckAt.Equal(t0.Add(time.Second)) || d.BackOff.Level != 0 {
		t.Errorf("a second too early: %+v", d)
	}
	f.Now = t0.Add(time.Second)
	if d := Plan(f); len(d.Actions) != 2 {
		t.Errorf("at its time: %v, want 2 pods created", d.Actions)
	}
}
