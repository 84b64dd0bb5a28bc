package backlog

import (
	"cmp"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// cadenceOf is how a broker of a kind is read: as the options say, else as suits the kind, else by default.
func cadenceOf(kind broker.Kind, o Options) broker.Cadence {
	own := kind.Cadence
	c := broker.Cadence{
		Poll:   cmp.Or(o.PollInterval, own.Poll, time.Second),
		Safety: cmp.Or(o.SafetyInterval, own.Safety, 5*time.Second),
		Batch:  cmp.Or(o.BatchWindow, own.Batch, 10*time.Millisecond),
		Budget: cmp.Or(own.Budget, 1000),
		Cost:   own.Cost,

		Quiet: own.Quiet, QuietBudget: own.QuietBudget,
	}
	c.PollAtZero = cmp.Or(o.PollInterval, own.PollAtZero, c.Poll)
	if o.PollInterval > 0 {
		c.Quiet = nil
	}
	c.PollBusy = cmp.Or(own.PollBusy, c.Safety)
	if c.Cost == nil {
		c.Cost = func(broker.Query) int { return 1 }
	}
	return c
}

// pushes reports whether the broker of a driver tells of changes by itself, and if not, why not.
func pushes(d broker.Driver) (ok bool, why string) {
	if p, may := d.(broker.Pusher); may {
		return p.Pushes()
	}
	return false, "brokers of this type do not tell of changes by themselves"
}

// polls has when the queues of a broker are to be read, rung or not: all of them, and some of them in between.
type polls struct {
	all, some time.Time
}

// poll has the queues read whose time has come, and returns how long it is until the next; 0 when no time had come.
func (s *source) poll(p *polls, d broker.Driver, now time.Time) time.Duration {
	interval, some := s.cadence.Poll, s.cadence.PollAtZero
	rings, _ := pushes(d)
	mark := func() { s.markDue(now, true, true) }
	if rings {
		interval, some, mark = s.cadence.Safety, s.cadence.PollBusy, s.markBusy
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !now.Before(p.all):
		s.markDue(now, false, !rings)
		p.all = now.Add(s.options.Jitter(interval))
	case !now.Before(p.some):
		mark()
	default:
		return 0
	}
	p.some = p.all
	if some < interval {
		p.some = now.Add(s.options.Jitter(some))
	}
	return min(p.all.Sub(now), p.some.Sub(now))
}
