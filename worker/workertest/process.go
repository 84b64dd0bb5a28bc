package workertest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/internal/inject"
)

// Process is a worker that runs.
type Process struct {
	t      testing.TB
	share  *share
	drain  string
	kill   sync.Once
	killed chan struct{}
	looks  chan chan<- struct{}
	// ended is closed when Run has returned err.
	ended chan struct{}
	err   error
}

func (p *Process) run(handler worker.Handler, opts []worker.Option) {
	ctx, cancel := context.WithCancel(inject.With(context.Background(), inject.Broker{
		Queue: queue, DrainFile: p.drain, Store: p.share, Killed: p.killed, Looks: p.looks,
		Now: p.share.clock, WithTimeout: p.share.withTimeout,
	}))
	p.t.Cleanup(cancel)
	p.t.Cleanup(p.Kill)
	quiet := worker.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))
	opts = append([]worker.Option{quiet}, opts...)
	go func() {
		defer close(p.ended)
		p.err = worker.Run(ctx, handler, opts...)
	}()
}

// Grant tells the worker to leave, as the operator does: the drain file has the reason. When it returns, the
// worker knows.
func (p *Process) Grant(reason string) {
	p.t.Helper()
	if err := os.WriteFile(p.drain, []byte(reason), 0o600); err != nil {
		p.t.Fatal(err)
	}
	looked := make(chan struct{})
	select {
	case p.looks <- looked:
		<-looked
	case <-p.ended:
	}
	p.share.change(func() { p.share.leaving = reason != "" })
}

// Withdraw withdraws the grant.
func (p *Process) Withdraw() {
	p.t.Helper()
	p.Grant("")
}

// Wait waits until the worker has left, and fails the test unless Run has returned nil.
func (p *Process) Wait() {
	p.t.Helper()
	select {
	case <-p.ended:
		if p.err != nil {
			p.t.Errorf("Run returned %v, want nil", p.err)
		}
	case <-time.After(longestWait):
		p.t.Fatalf("the worker has not left within %s", longestWait)
	}
}

// Kill ends the worker as kill -9 does: what it has in hand stays in its pod's list, and nothing that its
// handlers still do is acknowledged.
func (p *Process) Kill() {
	p.kill.Do(func() {
		p.share.change(func() { p.share.ended = true })
		close(p.killed)
		select {
		case <-p.ended:
			if p.err != nil && !errors.Is(p.err, worker.ErrKilled) {
				p.t.Errorf("Run returned %v", p.err)
			}
		case <-time.After(longestWait):
			p.t.Errorf("the worker has not ended within %s", longestWait)
		}
	})
}
