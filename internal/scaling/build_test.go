package scaling

import (
	"math/big"
	"time"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const delay = 30 * time.Second

// scale is a range with one worker per message.
func scale(minimum, maximum int) Scale {
	return Scale{Min: minimum, Max: maximum, PerMessage: big.NewRat(1, 1), DownDelay: delay}
}

func (s Scale) each(workers, messages int64) Scale {
	s.PerMessage = big.NewRat(workers, messages)
	return s
}

// queued is a queue that was read a moment ago.
func queued(waiting, inFlight, leaving int64) Queue {
	return Queue{Waiting: Counted(waiting), InFlight: Counted(inFlight), Leaving: leaving}
}

func (q Queue) stale() Queue { q.Stale = true; return q }

// fleet decides again and again, and remembers.
type fleet struct {
	in Input
	Decision
}

func newFleet(s Scale, before int) *fleet {
	return &fleet{in: Input{Now: t0, Scale: s, Before: before}}
}

// sees is what the fleet decides a while later.
func (f *fleet) sees(after time.Duration, q Queue) Decision {
	f.in.Now, f.in.Queue = f.in.Now.Add(after), q
	f.Decision = Decide(f.in)
	f.in.Memory = f.Memory
	return f.Decision
}
