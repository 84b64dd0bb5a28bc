package recovery

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

var (
	t0         = time.Unix(1_000_000, 0)
	errRefused = errors.New("NOPERM")
)

func after(d time.Duration) time.Time { return t0.Add(d) }

// readingOf is one that began at a time, and in which worker a holds so many tasks.
func readingOf(at time.Time, held int64) backlog.Reading {
	return backlog.Reading{Known: true, ReadAt: at, Depth: broker.Depth{Held: map[string]int64{"a": held}}}
}

func failedReading(at time.Time, held int64) backlog.Reading {
	r := readingOf(at, held)
	r.Err, r.ErrSince = errRefused, at
	return r
}

// One row for each change of a record. What is not in a row stays zero.
func TestWhatLeadsFromOneStateToTheNext(t *testing.T) {
	const moment = time.Nanosecond
	read := func(reading backlog.Reading, failures int) func(*record) {
		return func(r *record) { r.read(reading, failures) }
	}
	seen := func(ended bool) func(*record) { return func(r *record) { r.seen(ended) } }
	vanished := func(r *record) { r.vanished(t0) }
	succeeded := func(r *record) { r.succeeded(t0) }
	lingers := record{state: Lingering, returned: t0}
	gone := record{state: Gone, since: t0}
	tried := func(r record, pause time.Duration, failures int) record {
		r.next, r.pause, r.failures, r.err = after(pause), pause, failures, errRefused
		return r
	}
	cases := map[string]struct {
		before record
		change func(*record)
		after  record
	}{
		"a pod that is not known is seen to have ended":               {record{}, seen(true), record{state: Ended}},
		"a pod that has ended is seen again":                          {record{state: Ended}, seen(true), record{state: Ended}},
		"a pod that has ended runs after all":                         {record{state: Ended}, seen(false), record{}},
		"a pod whose tasks are back is seen again":                    {record{state: Returned}, seen(true), record{state: Returned}},
		"a pod whose tasks are back runs after all":                   {record{state: Returned}, seen(false), record{}},
		"a pod that was gone is there, and has ended":                 {gone, seen(true), record{state: Ended, since: t0}},
		"a pod that was gone is there, and runs":                      {gone, seen(false), record{since: t0}},
		"a pod whose list is watched is there, and has ended":         {lingers, seen(true), record{state: Ended, returned: t0}},
		"a pod whose list is watched is there, and runs":              {lingers, seen(false), record{returned: t0}},
		"a pod that is not known vanishes":                            {record{}, vanished, gone},
		"a pod that has ended vanishes":                               {record{state: Ended}, vanished, gone},
		"a pod that has ended and has failed vanishes":                {tried(record{state: Ended}, time.Second, 1), vanished, tried(gone, time.Second, 1)},
		"a pod whose tasks are back vanishes":                         {record{state: Returned}, vanished, record{state: Lingering, since: t0, returned: t0}},
		"the tasks of a pod that has ended are returned":              {record{state: Ended}, succeeded, record{state: Returned}},
		"the tasks of a pod that is gone are returned":                {record{state: Gone}, succeeded, lingers},
		"tasks are returned at the third try":                         {tried(record{state: Gone}, 2*time.Second, 2), succeeded, lingers},
		"tasks are returned of a pod that was dropped":                {record{}, succeeded, record{}},
		"the first failure":                                           {gone, func(r *record) { r.failed(t0, errRefused) }, tried(gone, time.Second, 1)},
		"the second failure":                                          {tried(gone, time.Second, 1), func(r *record) { r.failed(t0, errRefused) }, tried(gone, 2*time.Second, 2)},
		"the failure after a pause of 32 s":                           {tried(gone, 32*time.Second, 6), func(r *record) { r.failed(t0, errRefused) }, tried(gone, time.Minute, 7)},
		"the failure after the longest pause":                         {tried(gone, time.Minute, 7), func(r *record) { r.failed(t0, errRefused) }, tried(gone, time.Minute, 8)},
		"a pod that the API server still has":                         {gone, func(r *record) { r.unconfirmed(t0) }, record{state: Gone, since: t0, next: after(time.Second), pause: time.Second}},
		"a failed pod that the API server still has":                  {tried(gone, time.Second, 1), func(r *record) { r.unconfirmed(t0) }, record{state: Gone, since: t0, next: after(2 * time.Second), pause: 2 * time.Second}},
		"a watched list that is read just before its minute is over":  {lingers, read(readingOf(after(lingering-moment), 0), 0), lingers},
		"a watched list that is read at its minute":                   {lingers, read(readingOf(after(lingering), 0), 0), record{returned: t0}},
		"a watched list that holds a task at its minute":              {lingers, read(readingOf(after(lingering), 1), 0), record{state: Gone, returned: t0}},
		"a watched list that held a task before reads failed":         {lingers, read(failedReading(after(time.Second), 1), 0), record{state: Gone, returned: t0}},
		"a watched list that was read at its minute, and fails since": {lingers, read(failedReading(after(lingering), 0), 0), lingers},
		"a watched list with a task, read since it was returned":      {lingers, read(readingOf(after(moment), 1), 0), record{state: Gone, returned: t0}},
		"a watched list with a task, read when it was returned":       {lingers, read(readingOf(t0, 1), 0), lingers},
		"a watched list that is not counted":                          {lingers, read(backlog.Reading{Known: true, ReadAt: after(moment)}, 0), lingers},
		"a failed list that is empty a minute after its end":          {gone, read(readingOf(after(lingering), 0), 1), record{since: t0}},
		"a failed list that is empty just before that":                {gone, read(readingOf(after(lingering-moment), 0), 1), gone},
		"a failed list that is not empty":                             {gone, read(readingOf(after(lingering), 1), 1), gone},
		"a failed list that is not counted":                           {gone, read(backlog.Reading{Known: true, ReadAt: after(lingering)}, 1), gone},
		"a failed list that was empty before reads failed":            {gone, read(failedReading(after(lingering), 0), 1), gone},
		"an empty list that has not failed yet":                       {gone, read(readingOf(after(lingering), 0), 0), gone},
		"an empty failed list of a pod that is there":                 {record{state: Ended, since: t0}, read(readingOf(after(lingering), 0), 1), record{state: Ended, since: t0}},
		"a list whose tasks are back, of a pod that is there":         {record{state: Returned}, read(readingOf(after(lingering), 1), 0), record{state: Returned}},
		"a reading of an ended pod's list, which holds a task yet":    {record{state: Ended}, read(readingOf(after(lingering), 1), 0), record{state: Ended}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, want := c.before, c.after
			got.worker, want.worker = "a", "a"
			c.change(&got)
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(record{}), cmpopts.EquateErrors(), cmpopts.IgnoreFields(record{}, "fleet")); diff != "" {
				t.Errorf("the record (-want +got):\n%s", diff)
			}
		})
	}
}
