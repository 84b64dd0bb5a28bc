package qworker

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

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
	after := backlog.Reading{Known: true, ReadAt: now}
	shown := after
	shown.Depth.Held = map[string]int64{pod: 0}
	late := shown
	late.Depth.HeldLate = true
	cases := map[string]struct {
		endsAfterTask, atOnce bool
		end                   end
		seen                  bool  // the broker has shown the worker with a task
		seenAtTask            bool  // and has shown another of its revision with one
		signs                 signs // what the queue has shown
		idle                  int   // how many workers before it did nothing, by all that shows
		reading               backlog.Reading
		failed, did, decided  bool
		idleAfter             int
	}{
		"it ended later than at once":                       {reading: after, decided: true},
		"it was seen at a task":                             {atOnce: true, seen: true, did: true, decided: true},
		"others are seen at theirs, and it was not":         {atOnce: true, seenAtTask: true, reading: shown, failed: true, decided: true},
		"and the depth fell, which others have done":        {atOnce: true, seenAtTask: true, reading: shown, signs: signs{1, 1}, failed: true, decided: true},
		"nobody is ever seen, and the depth fell":           {atOnce: true, reading: shown, signs: signs{1, 1}, did: true, decided: true},
		"nobody is ever seen, and the depth moved":          {atOnce: true, reading: shown, signs: signs{1, 0}, idle: 2, decided: true},
		"nobody is ever seen, and nothing moved, the third": {atOnce: true, reading: shown, idle: 2, failed: true, decided: true, idleAfter: 3},

		"the field: it was seen at a task":                   {endsAfterTask: true, atOnce: true, seen: true, idle: 2, did: true, decided: true},
		"the field: a task was done since it came":           {endsAfterTask: true, atOnce: true, signs: signs{3, 3}, end: end{signs: signs{2, 2}}, idle: 2, did: true, decided: true},
		"the field: the queue has only moved":                {endsAfterTask: true, atOnce: true, signs: signs{3, 2}, end: end{signs: signs{2, 2}}, reading: after, idle: 9, decided: true},
		"the field: a task was done only before":             {endsAfterTask: true, atOnce: true, signs: signs{2, 2}, end: end{signs: signs{2, 2}}, reading: after, decided: true, idleAfter: 1},
		"the field: nothing moved, the second":               {endsAfterTask: true, atOnce: true, reading: after, idle: 1, decided: true, idleAfter: 2},
		"the field: nothing moved, the third":                {endsAfterTask: true, atOnce: true, reading: after, idle: 2, failed: true, decided: true, idleAfter: 3},
		"the field: one that ended later counts for neither": {endsAfterTask: true, reading: after, idle: 2, decided: true, idleAfter: 2},
		"the field: it would have been seen":                 {endsAfterTask: true, atOnce: true, seenAtTask: true, reading: shown, signs: signs{1, 0}, idle: 2, failed: true, decided: true, idleAfter: 3},
		"the field: it would have been seen late":            {endsAfterTask: true, atOnce: true, seenAtTask: true, reading: late, signs: signs{1, 0}, idle: 2, decided: true},
		"the field: the queue was not read since":            {endsAfterTask: true, atOnce: true, idle: 2, reading: backlog.Reading{Known: true, ReadAt: now.Add(-1)}, failed: true, idleAfter: 2},
		"the field: it cannot be read":                       {endsAfterTask: true, atOnce: true, reading: backlog.Reading{Known: true, ReadAt: now, Err: broker.Fail(broker.ReasonUnknown, "", "", nil)}, failed: true},
		"the field: what is decided stays":                   {endsAfterTask: true, atOnce: true, signs: signs{9, 9}, end: end{decided: true}, failed: true, decided: true},
		"the field: nobody watched":                          {endsAfterTask: true, atOnce: true, end: end{unwatched: true}, reading: after, idle: 2, decided: true, idleAfter: 2},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			known := newEnds()
			known.idle[hash] = c.idle
			seen := &sightings{seen: map[string]bool{hash: c.seenAtTask}, pods: map[string]bool{pod: c.seen}, signs: map[string]signs{hash: c.signs}}
			p := planner.Pod{Name: pod, Revision: hash, Phase: planner.Left, Created: now.Add(-3 * time.Second), EndedWell: now.Add(-time.Second)}
			fleet := tasks{
				sightings: seen, ends: &known, drain: &v1alpha1.DrainSpec{EndsAfterTask: c.endsAfterTask}, revisions: &revisions{}, pods: []planner.Pod{p},
			}
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
			if known.idle[hash] != c.idleAfter {
				t.Errorf("%d workers did nothing, want %d", known.idle[hash], c.idleAfter)
			}
			want := time.Time{}
			if c.atOnce && c.decided && !c.did && !c.failed {
				want = p.Created.Add(endPace)
			}
			if got := known.paced[hash]; !got.Equal(want) {
				t.Errorf("the next is created from %s on, want %s", got, want)
			}
		})
	}
}

// What the queue shows is taken in wherever a worker may end for good, which is everywhere but with Always.
func TestWhoseQueueTellsOfEnds(t *testing.T) {
	for policy, want := range map[corev1.RestartPolicy]map[string]bool{
		"":                            {"r1": true},
		corev1.RestartPolicyOnFailure: {"r1": true},
		corev1.RestartPolicyNever:     {"r1": true},
		corev1.RestartPolicyAlways:    nil,
	} {
		qw := &v1alpha1.QWorker{}
		qw.Spec.PodSpec.RestartPolicy = policy
		o := observation{qw: qw, sightings: &sightings{}, states: []planner.Pod{{Name: "a", Revision: "r1", Phase: planner.Running}}}
		if diff := cmp.Diff(want, o.tasks().lookout(nil).credits); diff != "" {
			t.Errorf("restart policy %q (-want +got):\n%s", policy, diff)
		}
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

// What two readings of a queue say of the tasks of workers that were there.
func TestSignsOfTasks(t *testing.T) {
	reading := func(waiting, inFlight int64) backlog.Reading {
		return backlog.Reading{Known: true, Depth: broker.Depth{Waiting: broker.CountOf(waiting), InFlight: broker.CountOf(inFlight)}}
	}
	settled := func(waiting, inFlight, settled int64) backlog.Reading {
		r := reading(waiting, inFlight)
		r.Depth.Settled = broker.CountOf(settled)
		return r
	}
	failed := reading(0, 0)
	failed.Err = broker.Fail(broker.ReasonUnknown, "", "", nil)
	cases := map[string]struct {
		prev, next backlog.Reading
		want       signs
	}{
		"one fewer":                              {reading(2, 1), reading(2, 0), signs{1, 1}},
		"one that is taken":                      {reading(2, 1), reading(1, 2), signs{1, 0}},
		"one more":                               {reading(2, 1), reading(3, 1), signs{1, 0}},
		"the first reading":                      {backlog.Reading{}, reading(0, 0), signs{}},
		"a read that fails is no 0":              {reading(2, 1), failed, signs{}},
		"as many are done as come":               {reading(2, 1), reading(2, 1), signs{}},
		"what was purged is fewer":               {reading(9, 0), reading(0, 0), signs{1, 1}},
		"one that a worker no longer holds":      {reading(0, 1), reading(1, 0), signs{1, 0}},
		"settled: more come than are done":       {settled(2, 1, 7), settled(5, 1, 8), signs{1, 1}},
		"settled: as many are done as come":      {settled(2, 1, 7), settled(2, 1, 8), signs{1, 1}},
		"settled: they come, and none is done":   {settled(2, 1, 7), settled(5, 1, 7), signs{}},
		"settled: one that was taken and buried": {settled(2, 1, 7), settled(2, 0, 7), signs{1, 1}},
		"settled: the count begins anew":         {settled(2, 1, 7), settled(2, 1, 0), signs{1, 0}},
		"settled: it is no longer counted":       {settled(2, 1, 7), reading(2, 1), signs{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := lookout{sightings: &sightings{}, credits: map[string]bool{"r1": true, "r2": false}}
			l.noteSigns(c.prev, c.next)
			if got := l.signsOf("r1"); got != c.want {
				t.Errorf("signs %+v, want %+v", got, c.want)
			}
			if got, want := l.signsOf("r2"), (signs{moved: c.want.moved}); got != want {
				t.Errorf("of a revision that may not have done it: %+v, want %+v", got, want)
			}
		})
	}
}
