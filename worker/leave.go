package worker

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// drainPoll is how often the drain file is opened.
const drainPoll = 250 * time.Millisecond

// contextDone is why a worker leaves whose context is done.
const contextDone = "the context is done"

// leave knows whether the worker is to leave: by the drain file, by SIGTERM or SIGINT, or because Run's
// context is done. Only the file's word can be taken back: an operator whose queue fills again does that.
type leave struct {
	file string

	mu      sync.Mutex
	final   string // why, for good
	granted string // why, by the file
	// told is closed while the worker is to leave, and made anew when that is taken back.
	told chan struct{}
	// killed is closed by a second signal.
	killed chan struct{}
	// looks has those who want the file looked at before it is time; see inject.Broker.
	looks <-chan chan<- struct{}
}

func newLeave(file string, looks <-chan chan<- struct{}) *leave {
	return &leave{file: file, looks: looks, told: make(chan struct{}), killed: make(chan struct{})}
}

// watch looks at the file and listens for signals until ctx is done; ended is Run's own context.
func (l *leave) watch(ctx, ended context.Context) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(signals)
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	over := ended.Done()
	for received := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-over:
			over = nil
			l.forGood(contextDone)
		case s := <-signals:
			if received++; received == 2 {
				close(l.killed)
			}
			l.forGood(s.String())
		case <-tick.C:
			l.look()
		case looked := <-l.looks:
			l.look()
			close(looked)
		}
	}
}

// look opens the drain file.
func (l *leave) look() {
	reason, granted := hasLeave(l.file)
	l.mu.Lock()
	defer l.mu.Unlock()
	if granted && reason == "" {
		reason = "the drain file is not empty"
	}
	before := l.leaving()
	l.granted = reason
	if !granted {
		l.granted = ""
	}
	l.tell(before)
}

func (l *leave) forGood(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.leaving()
	if l.final == "" {
		l.final = why
	}
	l.tell(before)
}

// tell makes told what it must be. The lock is held.
func (l *leave) tell(before bool) {
	switch now := l.leaving(); {
	case now && !before:
		close(l.told)
	case !now && before:
		l.told = make(chan struct{})
	}
}

func (l *leave) leaving() bool { return l.final != "" || l.granted != "" }

// why tells whether the worker is to leave, and why.
func (l *leave) why() (reason string, leaving bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.final != "" {
		return l.final, true
	}
	return l.granted, l.granted != ""
}

// signal is closed when the worker is to leave.
func (l *leave) signal() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.told
}

type drainingKey struct{}

// Draining returns a channel that is closed when the worker is to leave. A handler need not look: its task is
// to be finished, and is never cut. One that can stop early, at a checkpoint of its own, may save what it has
// and return ErrHandBack. Outside of a task the channel is nil, and never closed.
func Draining(ctx context.Context) <-chan struct{} {
	l, ok := ctx.Value(drainingKey{}).(*leave)
	if !ok {
		return nil
	}
	return l.signal()
}
