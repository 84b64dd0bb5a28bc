package scaling

import "time"

// Decision is how many workers there shall be, and why.
type Decision struct {
	// Desired is the number of workers.
	Desired int
	// Asked is how many workers the queue asks for now, before the window and the range. It is 0 before the first reading.
	Asked int64
	// Finishing is how many of Desired are for messages that workers on their way out are busy with. They need no
	// other worker: none is to be created for them. Desired still has them for a while, because going down it is the
	// highest of a window, and that is the pace at which others may follow.
	Finishing int
	// Limit says whether the range overrides what the queue asks for.
	Limit Limit
	// Notes has one note of each step, in the order of the steps.
	Notes []Note
	// Until is when time alone may change the decision, zero for never.
	Until time.Time
	// Memory is to be handed to the next call of Decide.
	Memory Memory
}

// Memory is what a later decision must know of this one. The zero Memory is that of a process that has just begun.
type Memory struct {
	begun   bool
	desired int
	// asked is what the queue asked for over the last DownDelay. needs is the same without the messages that workers
	// on their way out hold, from when they were let go.
	asked, needs window
	// leaving is how many messages those workers held, not known before the first reading.
	leaving Count
}

// step takes the number that the step before has left. It returns the number that it makes of it, and a note. What is
// decided beside the number, and what is to be remembered, it writes to the decision.
type step struct {
	name Step
	take func(in Input, n int64, d *Decision) (int64, Note)
}

// steps returns all steps, in order.
func steps() []step {
	return []step{
		{Formula, formula},
		{Window, stabilise},
		{Clamp, clamp},
		{Finishing, finishing},
		{Hold, hold},
	}
}

// Decide decides how many workers there shall be.
func Decide(in Input) Decision {
	d := Decision{Memory: in.Memory.begin(in)}
	chain := steps()
	d.Notes = make([]Note, 0, len(chain))
	n := int64(d.Memory.desired)
	for _, s := range chain {
		to, note := s.take(in, n, &d)
		note.Step, note.From, note.To = s.name, n, to
		d.Notes = append(d.Notes, note)
		d.Until = sooner(d.Until, note.Until)
		n = to
	}
	d.Desired = int(n)
	d.Memory.desired = d.Desired
	return d
}

// begin is the memory, where there is none yet begun with what was desired before.
func (m Memory) begin(in Input) Memory {
	if m.begun {
		return m
	}
	m.begun, m.desired = true, in.Before
	m.asked, _, _ = m.asked.add(in.Now, int64(in.Before), in.Scale.DownDelay)
	m.needs, _, _ = m.needs.add(in.Now, int64(in.Before), in.Scale.DownDelay)
	return m
}

// sooner is the earlier of two times, of which zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
