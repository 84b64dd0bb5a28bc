package qworker

import (
	"errors"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/recovery"
)

// A deleted QWorker whose ScalerConfig is gone too waits a minute for a search that fails. Where the ScalerConfig is there,
// it waits for as long as it takes, and what is known by name is awaited all the same.
func TestForHowLongADeletedQWorkerWaitsForASearch(t *testing.T) {
	failing := recovery.Search{Err: errors.New("NOPERM"), Failed: true}
	unread := recovery.Search{Err: errors.New("no answer")}
	known := []recovery.Dead{{Worker: "w", State: recovery.Gone}}
	// a look is what is seen some time after the first, and what the QWorker waits for then.
	type look struct {
		after       time.Duration
		search      recovery.Search
		kept        bool // it is not deleted
		config      bool
		dead        []recovery.Dead
		owes        bool
		outstanding int
		recheck     time.Duration
	}
	for name, looks := range map[string][]look{
		"until a minute is over": {
			{search: failing, owes: true, recheck: time.Minute},
			{after: time.Minute - 1, search: failing, owes: true, recheck: time.Minute},
			{after: time.Minute, search: failing},
		},
		"while the ScalerConfig is there": {
			{search: failing, config: true, owes: true},
			{after: time.Hour, search: failing, config: true, owes: true},
			{after: time.Hour, search: failing},
		},
		"no minute more where it has failed for long": {
			{search: failing, config: true, kept: true},
			{after: time.Minute, search: failing},
		},
		"another minute where it did not fail meanwhile": {
			{search: failing, owes: true, recheck: time.Minute},
			{after: 30 * time.Second, owes: true},
			{after: time.Minute, search: failing, owes: true, recheck: 2 * time.Minute},
		},
		"while nothing has failed": {
			{owes: true},
			{after: time.Hour, owes: true},
		},
		"while its queue cannot be read, which has its own end": {
			{search: unread, owes: true},
			{after: time.Hour, search: unread, owes: true},
		},
		"with a worker whose tasks are not back": {
			{search: failing, dead: known, owes: true, outstanding: 1, recheck: time.Minute},
			{after: time.Minute, search: failing, dead: known, owes: true, outstanding: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			began, since := time.Now(), time.Time{}
			for _, l := range looks {
				now := began.Add(l.after)
				dead := deadWorkers{deleting: !l.kept, Snapshot: recovery.Snapshot{Dead: l.dead, Searches: []recovery.Search{l.search}}}
				r := recheck{from: now}
				var at time.Time
				since, at = dead.giveUpSearch(since, now, !l.config)
				r.recheckAt(at)
				if owes := !dead.owesNothing(nil); owes != l.owes {
					t.Errorf("after %s it waits: %t, want %t", l.after, owes, l.owes)
				}
				if n := dead.outstanding(nil); n != l.outstanding {
					t.Errorf("after %s it waits for %d workers, want %d", l.after, n, l.outstanding)
				}
				if want := began.Add(l.recheck); (l.recheck == 0) != r.at.IsZero() || (l.recheck > 0 && !r.at.Equal(want)) {
					t.Errorf("after %s it is looked at again at %s, want %s after the first look", l.after, r.at, l.recheck)
				}
			}
		})
	}
}
