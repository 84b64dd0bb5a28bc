package qworker

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
)

// Whether an exit with 0 is a failure, by what the broker has shown.
func TestWhetherAWorkerHadDoneATask(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const pod, hash = "a", "r1"
	later := backlog.Reading{Known: true, ReadAt: now}
	cases := map[string]struct {
		endsAfterTask, atOnce bool
		end                   end
		seen                  bool // the broker has shown the worker with a task
		seenAtTask            bool // and has shown another of its revision with one
		falls                 int  // how often the depth has fallen
		reading               backlog.Reading
		failed, did, decided  bool
	}{
		"it ended later than at once":                         {reading: later, decided: true},
		"it was seen at a task":                               {atOnce: true, seen: true, did: true, decided: true},
		"it was not":                                          {atOnce: true, failed: true, decided: true},
		"it was not, and the depth fell":                      {atOnce: true, falls: 1, failed: true, decided: true},
		"the field: it was seen at a task":                    {endsAfterTask: true, atOnce: true, seen: true, did: true, decided: true},
		"the field: the depth fell since it came":             {endsAfterTask: true, atOnce: true, falls: 3, end: end{falls: 2}, did: true, decided: true},
		"the field: the depth fell only before":               {endsAfterTask: true, atOnce: true, falls: 2, end: end{falls: 2}, failed: true, reading: later, decided: true},
		"the field: the queue was not read since":             {endsAfterTask: true, atOnce: true, reading: backlog.Reading{Known: true, ReadAt: now.Add(-1)}, failed: true},
		"the field: it cannot be read":                        {endsAfterTask: true, atOnce: true, reading: backlog.Reading{Known: true, ReadAt: now, Err: broker.Fail(broker.ReasonUnknown, "", "", nil)}, failed: true},
		"the field: what is decided stays":                    {endsAfterTask: true, atOnce: true, falls: 9, end: end{decided: true}, failed: true, decided: true},
		"the field: nobody watched, and others do tasks":      {endsAfterTask: true, atOnce: true, end: end{unwatched: true}, seenAtTask: true, reading: later, decided: true},
		"the field: nobody watched, and none was ever seen":   {endsAfterTask: true, atOnce: true, end: end{unwatched: true}, failed: true, reading: later, decided: true},
		"without the field, nobody watched, and others do so": {atOnce: true, end: end{unwatched: true}, seenAtTask: true, failed: true, decided: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			known := newEnds()
			seen := &sightings{seen: map[string]bool{hash: c.seenAtTask}, pods: map[string]bool{pod: c.seen}, falls: map[string]int{hash: c.falls}}
			fleet := tasks{
				sightings: seen, ends: &known, drain: &v1alpha1.DrainSpec{EndsAfterTask: c.endsAfterTask}, revisions: &revisions{},
			}
			p := planner.Pod{Name: pod, Revision: hash, Phase: planner.Left, EndedWell: now.Add(-time.Second)}
			if c.atOnce {
				p.Failure = planner.Failure{Level: 1, At: p.EndedWell}
			}
			fleet.judgeWorker(now, &p, &c.end, c.reading)
			fleet.judgeWorker(now, &p, &c.end, c.reading)
			if failed := !p.Failure.At.IsZero(); failed != c.failed || c.end.decided != c.decided {
				t.Errorf("failed: %t, decided: %t; want %t and %t", failed, c.end.decided, c.failed, c.decided)
			}
			if did := !known.done[hash].IsZero(); did != c.did {
				t.Errorf("it did a task: %t, want %t", did, c.did)
			}
		})
	}
}

// Of a worker whose task is undecided, the queue that it worked on is read anew, and only where that can be read.
func TestWhichReadingsTellOfEnds(t *testing.T) {
	known, failed := backlog.Reading{Known: true}, backlog.Reading{Known: true, Err: errors.New("down")}
	ended := planner.Pod{Name: "a", Revision: "r1", Phase: planner.Left, EndedWell: time.Now(), Failure: planner.Failure{At: time.Now()}}
	cases := map[string]struct {
		known           end
		here, elsewhere backlog.Reading
		worksElsewhere  bool
		want            []string
	}{
		"it is undecided":              {end{}, known, known, false, []string{""}},
		"it is decided":                {end{decided: true}, known, known, false, nil},
		"the queue cannot be read":     {end{}, failed, known, false, nil},
		"it has worked elsewhere":      {end{}, known, known, true, []string{"r2"}},
		"nothing is read there":        {end{}, known, failed, true, nil},
		"only there something is read": {end{}, failed, known, true, []string{"r2"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := ended
			if c.worksElsewhere {
				p.Revision = "r2"
			}
			former := revision.Revision{Hash: "r2", Content: revision.Content{Queue: "former"}}
			o := observation{
				qw: &v1alpha1.QWorker{}, ends: &ends{workers: map[string]*end{"a": &c.known}}, states: []planner.Pod{p, p},
				revisions: revisions{all: []revision.Revision{former}, published: &revision.Revision{Hash: "r1", Content: revision.Content{Queue: "present"}}},
				readings:  readings{reading: c.here, elsewhere: map[string]backlog.Reading{"r2": c.elsewhere}},
			}
			var got []string
			for _, key := range tellOfEnds(&o) {
				got = append(got, key.Revision)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("queues (-want +got):\n%s", diff)
			}
		})
	}
}

// A queue that has fewer messages than before says that a task was done, and that of a revision that may have done it.
func TestADepthThatFalls(t *testing.T) {
	reading := func(waiting, inFlight int64) backlog.Reading {
		return backlog.Reading{Known: true, Depth: broker.Depth{Waiting: broker.CountOf(waiting), InFlight: broker.CountOf(inFlight)}}
	}
	failed := reading(0, 0)
	failed.Err = broker.Fail(broker.ReasonUnknown, "", "", nil)
	cases := map[string]struct {
		prev, next backlog.Reading
		want       int
	}{
		"one fewer":                         {reading(2, 1), reading(2, 0), 1},
		"one that is taken":                 {reading(2, 1), reading(1, 2), 0},
		"one more":                          {reading(2, 1), reading(3, 1), 0},
		"the first reading":                 {backlog.Reading{}, reading(0, 0), 0},
		"a read that fails is no 0":         {reading(2, 1), failed, 0},
		"as many are done as come":          {reading(2, 1), reading(2, 1), 0},
		"what was purged is fewer":          {reading(9, 0), reading(0, 0), 1},
		"one that a worker no longer holds": {reading(0, 1), reading(1, 0), 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := lookout{sightings: &sightings{}, credits: []string{"r1"}}
			l.noteFall(c.prev, c.next)
			if got := l.fallsOf("r1"); got != c.want {
				t.Errorf("it fell %d times, want %d", got, c.want)
			}
		})
	}
}
