package backlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// ErrClaimPending is why tasks are not returned yet, while that is as usual: the process before this one, in another
// replica of the operator, has left a claim, and it ends when nobody renews it.
var ErrClaimPending = errors.New("waiting until the claim of the operator before this one has ended")

// Why another's claim is told from that of the process before this one, and what follows:
//
// This process reads brokers because it is its control plane's leader. The leader before it has ended, or was paused and
// ends once it finds out. It may renew its claim once more in that moment, and no more. So a claim that this process sees
// being renewed rivalRenewals times, or sees for longer than two expiries, is renewed by somebody whom its control plane
// does not know: the original of a copied cluster, or its copy.
//
// Such an operator may be started again, as for an update. Its claim ends meanwhile, and its successor, which sees no
// living rival, takes it at once. This process leaves it alone for rivalTimeout: else the two would race, and a copy that
// won would take tasks from the workers of the original. So does the process after this one; see Source.HadRival.
//
// A claim that was just renewed ends an expiry later. One that is gone before, as by the hand of a person, may be renewed
// any moment.
const (
	rivalProof    = 2 * broker.ClaimExpiry
	rivalRenewals = 4
	rivalTimeout  = 10 * time.Minute
	// claimRetry is the least time between two tries to take a claim for the sake of a task that is to be returned.
	claimRetry = time.Second
)

// tenure is what is known of who may return the tasks of dead workers at one broker.
type tenure struct {
	// ours is true where this process had the claim when it last asked, and asked is when that was. mark is the mark that
	// it had then.
	ours  bool
	mark  string
	asked time.Time
	// rival is who else had it, and since and seen are when that was first and last seen. "" is nobody since this process
	// had it last.
	rival       string
	since, seen time.Time
	// renewals is what the rival last said of its renewals, renewed when that was first seen, and changes how often it became
	// another. renewed is zero where it never did.
	renewals string
	renewed  time.Time
	changes  int
	// err is why it is not known.
	err error
}

// hasRival reports whether the claim is renewed by an operator that is not one that has ended.
func (t *tenure) hasRival() bool {
	return t.rival != "" && (t.changes >= rivalRenewals || t.seen.Sub(t.since) >= rivalProof)
}

// mayTake reports whether this process may take the claim where nobody has it.
func (t *tenure) mayTake(now time.Time) bool {
	if t.hasRival() {
		return now.Sub(t.seen) >= rivalTimeout
	}
	return t.renewed.IsZero() || now.Sub(t.renewed) >= broker.ClaimExpiry
}

// answered takes in who has the claim.
func (t *tenure) answered(own string, has broker.Claimant, now time.Time) {
	if has.Process == own {
		*t = tenure{ours: true, mark: has.Mark, asked: now}
		return
	}
	t.ours, t.asked, t.err = false, now, nil
	if has.Process == "" {
		return
	}
	if t.rival == "" {
		t.since = now
	}
	if t.rival == has.Process && t.renewals != has.Renewals {
		t.renewed = now
		t.changes++
	}
	t.rival, t.seen, t.renewals = has.Process, now, has.Renewals
}

// rivalBefore is the name of a rival that the process before this one knew.
const rivalBefore = "which the operator before this one saw"

// hadRival is the tenure of a process that begins where the one before it has had a rival.
func hadRival(now time.Time) tenure {
	return tenure{rival: rivalBefore, since: now.Add(-rivalProof), seen: now}
}

func (t *tenure) failed(err error, now time.Time) { t.ours, t.asked, t.err = false, now, err }

// obstacle is why no task may be returned, nil where it may.
func (t *tenure) obstacle() error {
	switch {
	case t.ours:
		return nil
	case t.err != nil:
		return t.err
	case t.hasRival():
		return &broker.Error{Reason: broker.ReasonOtherOperator, Message: fmt.Sprintf(
			"another operator, %s, returns the tasks of dead workers at this broker, for this cluster or a copy of it, and this one does not; stop the operator that is not to run, or give the copy another broker. This operator goes on %s after the other was last seen",
			t.rival, rivalTimeout)}
	}
	return ErrClaimPending
}

// Claim is whether this operator may return tasks at a broker.
type Claim struct {
	// Known is true once that is certain.
	Known bool
	// Err is why it may not, nil where it may.
	Err error
}

// claim is unknown also while the broker does not answer: its health says that, and it is no reason of this one's.
func (t *tenure) claim() Claim {
	err := t.obstacle()
	if errors.Is(err, ErrClaimPending) || broker.IsUnanswered(err) {
		return Claim{}
	}
	return Claim{Known: true, Err: err}
}

// Claim makes sure that this process may return tasks at a broker, by the ID of its source, and else says why not. Where
// that is a matter of moments, the error is ErrClaimPending.
func (b *Backlog) Claim(ctx context.Context, id string) error {
	b.mu.Lock()
	s := b.sources[id]
	b.mu.Unlock()
	if s == nil {
		return fmt.Errorf("claiming %s, of which no queue is watched", id)
	}
	reclaimer, connected, err := s.reclaimer()
	if err != nil {
		return err
	}
	now := s.options.Clock.Now()
	s.mu.Lock()
	ours, recently := s.tenure.ours, !s.tenure.asked.IsZero() && now.Sub(s.tenure.asked) < claimRetry
	obstacle := s.tenure.obstacle()
	s.mu.Unlock()
	if ours || recently {
		return obstacle
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(connected, cancel)()
	return s.renew(ctx, reclaimer)
}

// keepClaim keeps the claim while somebody watches who may have tasks returned, until ctx is done. It goes beside the
// reads: a broker that is slow to answer it delays none.
func (s *source) keepClaim(ctx context.Context, driver broker.Driver) {
	reclaimer, ok := driver.(broker.Reclaimer)
	if !ok {
		return
	}
	s.beside.Go(func() {
		for {
			if s.reclaims() {
				_ = s.renew(ctx, reclaimer) // what comes of it stands in the tenure
			}
			if !s.pause(ctx, s.options.Jitter(broker.ClaimRenewal)) {
				return
			}
		}
	})
}

// reclaims reports whether a watcher may have tasks returned.
func (s *source) reclaims() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watches {
		if w.spec.Reclaims {
			return true
		}
	}
	return false
}

// renew renews the claim, or takes it, and returns why this process does not have it.
func (s *source) renew(ctx context.Context, reclaimer broker.Reclaimer) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.ReadTimeout)
	defer cancel()
	own, err := s.claim(ctx)
	var has broker.Claimant
	if err == nil {
		own.Mark = s.number
		s.mu.Lock()
		take := s.tenure.mayTake(s.options.Clock.Now())
		s.mu.Unlock()
		has, err = claimOf(ctx, reclaimer, own, take)
	}
	return s.noteClaim(func(t *tenure, now time.Time) {
		if err != nil {
			t.failed(fmt.Errorf("making sure that no other operator returns the same tasks, %w", err), now)
			return
		}
		t.answered(own.Process, has, now)
	})
}

func claimOf(ctx context.Context, reclaimer broker.Reclaimer, own broker.Claim, take bool) (has broker.Claimant, err error) {
	defer contain(&err)
	return reclaimer.Claim(ctx, own, take)
}

// noteClaim changes what is known of the claim, and wakes whom that matters to. It returns why this process does not have
// it.
func (s *source) noteClaim(change func(t *tenure, now time.Time)) error {
	s.mu.Lock()
	change(&s.tenure, s.options.Clock.Now())
	after, obstacle := s.tenure.claim(), s.tenure.obstacle()
	var watchers []Key
	told := s.claimTold
	changed := !told.Known || (told.Err == nil) != (after.Err == nil) || (after.Err != nil && differs(told.Err, after.Err))
	if after.Known && (changed || (s.claimAwaited && after.Err == nil)) {
		for w := range s.watches {
			if w.spec.healthOnly || (w.spec.Reclaims && s.claimAwaited) {
				watchers = append(watchers, w.key)
			}
		}
		s.claimTold, s.claimAwaited = after, false
	}
	s.mu.Unlock()
	s.notify(watchers)
	return obstacle
}
