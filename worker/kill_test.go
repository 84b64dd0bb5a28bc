package worker_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/internal/inject"
	"github.com/quickube/qscaler/worker/internal/store"
)

// hanging is a store whose broker does not answer while a task is waited for.
type hanging struct {
	store.Store
	hangs, answer chan struct{}
}

func (h *hanging) Take(context.Context, time.Duration) (store.Item, bool, error) {
	h.hangs <- struct{}{}
	<-h.answer
	return store.Item{}, false, nil
}

// A second SIGINT ends the tasks in hand, and Run, also while the intake waits for the broker.
func TestASecondSignalDoesNotWaitForTheBroker(t *testing.T) {
	b := newBench(t)
	b.do("LPUSH", queue, "task")
	killed, cut := make(chan struct{}), make(chan struct{})
	h := &hanging{hangs: make(chan struct{}, 1), answer: make(chan struct{})}
	defer close(h.answer)
	h.Store = b.store()
	ended := make(chan error, 1)
	ctx := inject.With(t.Context(), inject.Broker{Queue: queue, DrainFile: b.drain, Store: h, Killed: killed})
	go func() {
		ended <- worker.Run(ctx, func(ctx context.Context, _ *worker.Task) error {
			<-ctx.Done()
			close(cut)
			return nil
		}, worker.WithConcurrency(2))
	}()
	receive(b, h.hangs, "waiting for the broker")
	close(killed)
	receive(b, cut, "end of the task")
	if err := receive(b, ended, "end of the worker"); !errors.Is(err, worker.ErrKilled) {
		b.Errorf("Run ended with %v, want ErrKilled", err)
	}
}

// Runtimes and the kubelet may send SIGTERM twice: the task in hand is finished.
func TestASecondSIGTERMCutsNoTask(t *testing.T) {
	b := newBench(t)
	heard := make(chan os.Signal, 10)
	signal.Notify(heard, syscall.SIGTERM)
	defer signal.Stop(heard)
	begun, finish := make(chan struct{}), make(chan struct{})
	r := b.start(func(ctx context.Context, _ *worker.Task) error {
		close(begun)
		select {
		case <-finish:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	b.do("LPUSH", queue, "task")
	receive(b, begun, "task")
	for range 3 {
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		receive(b, heard, "signal")
	}
	close(finish)
	r.left()
	if b.inHand()+b.delayed()+b.waiting() > 0 {
		t.Error("the task is not done")
	}
}

// It does not wait for a broker that cannot be reached, either.
func TestASecondSignalDoesNotWaitForAConnection(t *testing.T) {
	dumb, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dumb.Close() }()
	b := &bench{TB: t, drain: t.TempDir() + "/drain"}
	b.environment(dumb.Addr().String())
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, os.Interrupt) // or one that comes before Run listens ends the tests
	defer signal.Stop(heard)
	r := b.start(func(context.Context, *worker.Task) error { return nil })
	conn, err := dumb.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	deadline := time.After(longestWait)
	for ended := false; !ended; {
		if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-r.ended:
			if ended = true; !errors.Is(err, worker.ErrKilled) {
				t.Errorf("Run ended with %v, want ErrKilled", err)
			}
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatal("Run does not end")
		}
	}
	_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := io.Copy(io.Discard, conn); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("it waited until the connection was given up: reading from it says %v", err)
	}
}
