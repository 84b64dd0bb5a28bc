package backlog

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// flapping is a broker whose state changes every second, and what is told of it.
type flapping struct {
	*testing.T
	damper
	now     time.Time
	told    error
	changes int
}

func (f *flapping) is(err error) {
	f.now = f.now.Add(time.Second)
	before := f.told
	f.told = f.tells(before, err, f.now)
	if before == nil && err != nil && f.told == nil {
		f.Errorf("after %d changes it fails, and that is not told", f.changes)
	}
	if isOther(before, f.told) {
		f.changes++
	}
}

// A broker that fails, answers or says something else every second is told of a few times, and then twice a minute at
// most. That it fails is told at once. What is so in the end is told within a minute.
func TestWhatIsToldOfABrokerThatFlaps(t *testing.T) {
	down := errors.New("down")
	for name, state := range map[string]func(i int) error{
		"it fails and answers in turns": func(i int) error {
			if i%2 == 0 {
				return down
			}
			return nil
		},
		"it fails in other words each time": func(i int) error { return fmt.Errorf("down %d", i) },
		"both": func(i int) error {
			if i%3 == 2 {
				return nil
			}
			return fmt.Errorf("down %d", i)
		},
	} {
		f := &flapping{T: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
		const minutes = 10
		for i := range minutes * 60 {
			f.is(state(i))
		}
		if most := mostTold + 1 + 2*minutes; f.changes > most || f.changes < mostTold {
			t.Errorf("%s: %d changes are told in %d minutes, want %d to %d", name, f.changes, minutes, mostTold, most)
		}
		for range 60 {
			f.is(nil)
		}
		if f.told != nil {
			t.Errorf("%s: it has answered for a minute, and %q is told", name, f.told)
		}
	}
}

// What does not happen again and again is told as it is.
func TestWhatIsToldOfABrokerThatIsRestarted(t *testing.T) {
	f := &flapping{T: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	for range 3 {
		for _, err := range []error{errors.New("closed"), errors.New("refused"), errors.New("loading"), nil} {
			if f.is(err); isOther(err, f.told) {
				t.Errorf("it is %v, and %v is told", err, f.told)
			}
		}
		f.now = f.now.Add(5 * time.Minute)
	}
}
