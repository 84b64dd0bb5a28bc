package apicalls

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// Pause bounds the pause after reads that fail: First after the first, twice as long after each that follows, and Longest
// at most.
type Pause struct{ First, Longest time.Duration }

// shortWatch is how long a watch lasts at least that has not failed. Of one that the API server ends in its stream, the
// status of the answer says nothing.
const shortWatch = time.Second

// mostFailing is how many reads that fail are remembered before those are forgotten whose pause is long over. Of more than
// that, no answer is kept.
const mostFailing = 1000

// answeredFor is for how long a read that may not wait is answered as it last was. It is short: who may not wait has a pause
// of their own.
const answeredFor = time.Second

// Pace holds back a read that has failed when it is tried again, whoever reads and whatever the failure is. The client
// library tries some again without a pause, such as a watch that is refused with 410 Gone: one such API server, or what
// poses as one, was asked thousands of times a second.
//
// A read that may not wait is not held up: it fails as it last did, at once. What waits in a reconciliation keeps others
// from their turn.
//
// That an object does not exist is an answer, and no failure.
type Pace struct {
	pause   Pause
	clock   clock.Clock
	mayWait func(context.Context) bool

	mu      sync.Mutex
	failing map[string]failing
}

// failing is a read that has failed: the pause that it waits for, and when that is over. Last is the last failure, and at
// when that was.
type failing struct {
	pause time.Duration
	over  time.Time
	last  failure
	at    time.Time
}

// NewPace returns a Pace that holds nothing back yet. MayWait tells of the context of a read whether it may wait.
func NewPace(pause Pause, clk clock.Clock, mayWait func(context.Context) bool) *Pace {
	return &Pace{pause: pause, clock: clk, mayWait: mayWait, failing: map[string]failing{}}
}

// Around has the reads of a client keep the pace.
func (p *Pace) Around(next http.RoundTripper) http.RoundTripper {
	return RoundTripperFunc(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodGet {
			return next.RoundTrip(r)
		}
		read, watch := r.URL.Path, isWatch(r)
		if watch {
			read += "?watch"
		}
		if !p.mayWait(r.Context()) {
			if last, ok := p.lastOf(read); ok {
				return last.again(r)
			}
		} else if err := p.wait(r.Context(), read); err != nil {
			return nil, err
		}
		began := p.clock.Now()
		response, err := next.RoundTrip(r)
		switch {
		case err != nil:
			p.failed(r.Context(), read, failure{err: err})
		case response.StatusCode == http.StatusNotFound:
			p.succeeded(r.Context(), read)
		case response.StatusCode >= http.StatusBadRequest:
			p.failed(r.Context(), read, failureOf(response))
		case watch:
			response.Body = &watched{response.Body, sync.OnceFunc(func() {
				if p.clock.Since(began) < shortWatch {
					p.failed(r.Context(), read, failure{})
					return
				}
				p.succeeded(r.Context(), read)
			})}
		default:
			p.succeeded(r.Context(), read)
		}
		return response, err
	})
}

// wait waits until the pause of a read is over.
func (p *Pace) wait(ctx context.Context, read string) error {
	p.mu.Lock()
	pause := p.failing[read].over.Sub(p.clock.Now())
	p.mu.Unlock()
	if pause <= 0 {
		return nil
	}
	timer := p.clock.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C():
		return nil
	}
}

// lastOf is how a read has failed last, where that was a moment ago and its pause is not over.
func (p *Pace) lastOf(read string) (last failure, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, f := p.clock.Now(), p.failing[read]
	return f.last, now.Before(f.over) && now.Sub(f.at) < answeredFor && f.last.isKnown()
}

// succeeded takes in that a read did not fail. One that the reader has given up says nothing.
func (p *Pace) succeeded(ctx context.Context, read string) {
	if errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.failing, read)
}

// failed takes in how a read failed. One that the reader has given up says nothing.
func (p *Pace) failed(ctx context.Context, read string, last failure) {
	if errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now, f := p.clock.Now(), p.failing[read]
	f.last, f.at = last, now
	if !now.Before(f.over) { // else it was under way when another failed, or did not wait
		f.pause = min(max(2*f.pause, p.pause.First), p.pause.Longest)
		f.over = now.Add(f.pause)
	}
	if len(p.failing) >= mostFailing {
		maps.DeleteFunc(p.failing, func(_ string, f failing) bool { return now.Sub(f.over) > p.pause.Longest })
	}
	if len(p.failing) >= mostFailing {
		f.last = failure{}
	}
	p.failing[read] = f
}

// watched is the stream of a watch, and knows its end.
type watched struct {
	io.ReadCloser

	end func()
}

// Read is io.Reader's.
func (w *watched) Read(into []byte) (int, error) {
	n, err := w.ReadCloser.Read(into)
	if err != nil {
		w.end()
	}
	return n, err
}

// Close is io.Closer's.
func (w *watched) Close() error {
	defer w.end()
	return w.ReadCloser.Close()
}
