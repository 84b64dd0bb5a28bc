// Package backoff has the one pause that doubles: whatever failed is tried again after a pause that starts short, doubles
// with each failure in a row, and stops growing at a longest one.
//
//	backoff.go    the pause, and the state of one thing that failed
//	attempts.go   the states of many things, by a key
//
// It is pure, but for the lock of Attempts: time comes in. It imports nothing of ours and knows nothing of what fails.
package backoff

import "time"

// Policy bounds the pause.
type Policy struct {
	// First is the pause after the first failure; Longest is where the pause stops growing.
	First, Longest time.Duration
}

// Next is the pause that follows another: First after none (0), else twice as long, and never longer than Longest.
func (p Policy) Next(pause time.Duration) time.Duration {
	if pause >= p.Longest/2 {
		return p.Longest
	}
	return max(2*pause, p.First)
}

// After is the pause after so many failures in a row: First after 1, and 0 after none.
func (p Policy) After(failures int) time.Duration {
	pause := time.Duration(0)
	for range failures {
		if pause = p.Next(pause); pause == p.Longest {
			break
		}
	}
	return pause
}

// State is why something failed, and when it is tried again. The zero State is that of what has not failed.
type State struct {
	Err   error
	Until time.Time
	pause time.Duration
}

// Failed is the state of what has failed once more.
func (s State) Failed(now time.Time, p Policy, err error) State {
	pause := p.Next(s.pause)
	return State{Err: err, Until: now.Add(pause), pause: pause}
}
