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

// mostFailing is how many reads that fail are remembered before those are forgotten whose pause is long over.
const mostFailing = 1000

// Pace holds back a read that has failed when it is tried again, whoever reads and whatever the failure is. The client
// library tries some again without a pause, such as a watch that is refused with 410 Gone: one such API server, or what
// poses as one, was asked thousands of times a second.
//
// That an object does not exist is an answer, and no failure.
type Pace struct {
	pause Pause
	clock clock.Clock

	mu      sync.Mutex
	failing map[string]failing
}

// failing is a read that has failed: the pause that it waits for, and when that is over.
type failing struct {
	pause time.Duration
	over  time.Time
}

// NewPace returns a Pace that holds nothing back yet.
func NewPace(pause Pause, clk clock.Clock) *Pace {
	return &Pace{pause: pause, clock: clk, failing: map[string]failing{}}
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
		if err := p.wait(r.Context(), read); err != nil {
			return nil, err
		}
		began := p.clock.Now()
		response, err := next.RoundTrip(r)
		switch {
		case err != nil:
			p.ended(r.Context(), read, true)
		case response.StatusCode >= http.StatusBadRequest:
			p.ended(r.Context(), read, response.StatusCode != http.StatusNotFound)
		case watch:
			response.Body = &watched{response.Body, sync.OnceFunc(func() { p.ended(r.Context(), read, p.clock.Since(began) < shortWatch) })}
		default:
			p.ended(r.Context(), read, false)
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

// ended takes in how a read ended. One that the reader has given up says nothing.
func (p *Pace) ended(ctx context.Context, read string, failed bool) {
	if errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !failed {
		delete(p.failing, read)
		return
	}
	now, before := p.clock.Now(), p.failing[read]
	if now.Before(before.over) {
		return // it was under way when another failed
	}
	if len(p.failing) >= mostFailing {
		maps.DeleteFunc(p.failing, func(_ string, f failing) bool { return now.Sub(f.over) > p.pause.Longest })
	}
	pause := min(max(2*before.pause, p.pause.First), p.pause.Longest)
	p.failing[read] = failing{pause, now.Add(pause)}
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
