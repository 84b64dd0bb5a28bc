package qworker

import (
	"errors"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/internal/recovery"
)

// An operator that is started again every 20 minutes ends a deletion, too: since when the workers have ended is in the status.
func TestTheHourOutlivesTheOperator(t *testing.T) {
	began := time.Date(2026, 1, 2, 12, 0, 0, 700, time.UTC)
	failing := recovery.Snapshot{Searches: []recovery.Search{{Err: errors.New("NOPERM"), Failed: true}}}
	var stored *metav1.Time
	look := func(now time.Time, ended bool) deadWorkers {
		dead, fails := deadWorkers{deleting: true, ended: ended, Snapshot: failing}, failures{}
		fails.resume(stored, now)
		dead.giveUp(&fails, now, false, func(string) error { return nil })
		stored = timeOf(fails.ended)
		return dead
	}
	for at, waits := range []bool{true, true, true, false} {
		dead := look(began.Add(time.Duration(at)*20*time.Minute), true)
		if got := !dead.owesNothing(nil); got != waits {
			t.Errorf("after %d minutes it waits: %t", 20*at, got)
		}
		if want := began.Truncate(time.Second); stored == nil || !stored.Time.Equal(want) {
			t.Errorf("after %d minutes the status has %v, want %s", 20*at, stored, want)
		}
	}
	if look(began.Add(2*time.Hour), false); stored != nil {
		t.Errorf("while a worker runs the status has %v", stored)
	}
	stored = &metav1.Time{Time: began.Add(48 * time.Hour)} // by a clock that was wrong
	if now := began.Add(3 * time.Hour); look(now, true).waitOver || !stored.Time.Equal(now.Truncate(time.Second)) {
		t.Errorf("the status has %v, want now", stored)
	}
}

// A deleted QWorker waits for the broker, and not for ever: whose ScalerConfig is gone too, a minute for what fails, and each
// an hour from when its workers have ended.
func TestForHowLongADeletedQWorkerWaits(t *testing.T) {
	failing := recovery.Search{Err: errors.New("NOPERM"), Failed: true}
	unread := recovery.Search{Err: errors.New("no answer")}
	owed := func(change func(*recovery.Dead)) []recovery.Dead {
		d := recovery.Dead{Worker: "w", State: recovery.Gone}
		change(&d)
		return []recovery.Dead{d}
	}
	known := owed(func(*recovery.Dead) {})
	refused := owed(func(d *recovery.Dead) { d.Failures, d.Err = recovery.Tries, errors.New("NOPERM") })
	returned := owed(func(d *recovery.Dead) { d.State = recovery.Lingering })
	elsewhere := owed(func(d *recovery.Dead) { d.Revision = "unread" })
	name := func(name string, dead []recovery.Dead) []recovery.Dead {
		d := dead[0]
		d.Worker = name
		return []recovery.Dead{d}
	}
	mixed := slices.Concat(refused, name("x", known))
	nowhere := owed(func(d *recovery.Dead) { d.Unplaced = true })
	unconfirmed := owed(func(d *recovery.Dead) {
		d.Failures, d.Err, d.Unconfirmed = recovery.Tries, errors.New("the API server does not answer"), true
	})
	// a look is what is seen some time after the first, and what the QWorker waits for then.
	type look struct {
		after       time.Duration
		search      recovery.Search
		kept        bool // it is not deleted
		config      bool
		works       bool // a worker has not ended
		dead        []recovery.Dead
		owes        bool
		outstanding int
		recheck     time.Duration
	}
	const end = time.Hour
	for name, looks := range map[string][]look{
		"a search, until a minute is over": {
			{search: failing, owes: true, recheck: time.Minute},
			{after: time.Minute - 1, search: failing, owes: true, recheck: time.Minute},
			{after: time.Minute, search: failing, recheck: end},
		},
		"a search, an hour while the ScalerConfig is there": {
			{search: failing, config: true, owes: true, recheck: end},
			{after: end - 1, search: failing, config: true, owes: true, recheck: end},
			{after: end, search: failing, config: true},
		},
		"a search, no minute more where it has failed for long": {
			{search: failing, config: true, kept: true},
			{after: time.Minute, search: failing, recheck: time.Minute + end},
		},
		"a search, another minute where it did not fail meanwhile": {
			{search: failing, owes: true, recheck: time.Minute},
			{after: 30 * time.Second, owes: true, recheck: end},
			{after: time.Minute, search: failing, owes: true, recheck: 2 * time.Minute},
		},
		"a search that does not fail, and does not end": {
			{owes: true, recheck: end},
			{after: end - 1, owes: true, recheck: end},
			{after: end},
		},
		"a queue that cannot be read, which has its own end before": {
			{search: unread, owes: true, recheck: end},
			{after: end, search: unread},
		},
		"a worker whose tasks are yet to return": {
			{search: failing, dead: known, owes: true, outstanding: 1, recheck: time.Minute},
			{after: time.Minute, search: failing, dead: known, owes: true, outstanding: 1, recheck: end},
			{after: end, dead: known},
		},
		"a return that is refused, until a minute is over": {
			{search: failing, dead: refused, owes: true, outstanding: 1, recheck: time.Minute},
			{after: time.Minute, search: failing, dead: refused, recheck: end},
		},
		"a return that is refused, an hour while the ScalerConfig is there": {
			{search: failing, config: true, dead: refused, owes: true, outstanding: 1, recheck: end},
			{after: end - 1, search: failing, config: true, dead: refused, owes: true, outstanding: 1, recheck: end},
			{after: end, search: failing, config: true, dead: refused},
		},
		"a return that is never tried, for its queue cannot be read": {
			{search: failing, dead: elsewhere, owes: true, outstanding: 1, recheck: time.Minute},
			{after: time.Minute, search: failing, dead: elsewhere, recheck: end},
		},
		"a return that is refused, and not those of others": {
			{dead: mixed, owes: true, outstanding: 2, recheck: time.Minute},
			{after: time.Minute, search: failing, dead: mixed, owes: true, outstanding: 1, recheck: 2 * time.Minute},
			{after: 2 * time.Minute, search: failing, dead: slices.Concat(refused, name("x", returned)), recheck: end},
		},
		"a worker that dies once the return of another is given up": {
			{search: failing, dead: refused, owes: true, outstanding: 1, recheck: time.Minute},
			{after: time.Minute, search: failing, dead: mixed, owes: true, outstanding: 1, recheck: end},
			{after: 2 * time.Minute, search: failing, dead: slices.Concat(refused, name("x", returned)), recheck: end},
		},
		"each return that is refused has a minute": {
			{search: failing, dead: refused, owes: true, outstanding: 1, recheck: time.Minute},
			{after: time.Minute, search: failing, dead: slices.Concat(refused, name("x", refused)), owes: true, outstanding: 1, recheck: 2 * time.Minute},
			{after: 2 * time.Minute, search: failing, dead: slices.Concat(refused, name("x", refused)), recheck: end},
		},
		"what has returned is not waited for": {
			{search: failing, dead: returned, owes: true, recheck: time.Minute},
			{after: time.Minute, search: failing, dead: returned, recheck: end},
		},
		"while the API server does not say whether the pod is gone": {
			{search: failing, dead: unconfirmed, owes: true, outstanding: 1, recheck: time.Minute},
			{after: 2 * end, search: failing, dead: unconfirmed, owes: true, outstanding: 1},
			{after: 2*end + 1, search: failing, dead: refused},
		},
		"a worker of which nobody knows the queue, until a minute is over": {
			{dead: nowhere, owes: true, outstanding: 1, recheck: time.Minute},
			{after: time.Minute, search: failing, dead: nowhere, owes: true, recheck: 2 * time.Minute},
		},
		"a worker of which nobody knows the queue, an hour while the ScalerConfig is there": {
			{dead: nowhere, config: true, owes: true, outstanding: 1, recheck: end},
			{after: end - 1, dead: nowhere, config: true, owes: true, outstanding: 1, recheck: end},
			{after: end, dead: nowhere, config: true},
		},
		"while a worker has not ended": {
			{works: true, config: true, dead: refused, owes: true, outstanding: 1},
			{after: 2 * end, works: true, config: true, dead: refused, owes: true, outstanding: 1},
			{after: 3 * end, config: true, dead: refused, owes: true, outstanding: 1, recheck: 4 * end},
			{after: 4 * end, config: true, dead: refused},
		},
	} {
		t.Run(name, func(t *testing.T) {
			began, fails := time.Now(), failures{}
			for _, l := range looks {
				now := began.Add(l.after)
				dead := deadWorkers{deleting: !l.kept, ended: !l.works, Snapshot: recovery.Snapshot{Dead: l.dead, Searches: []recovery.Search{l.search}}}
				r := recheck{from: now}
				r.recheckAt(dead.giveUp(&fails, now, !l.config, func(hash string) error {
					if hash == "unread" {
						return errors.New("WRONGTYPE")
					}
					return nil
				}))
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
