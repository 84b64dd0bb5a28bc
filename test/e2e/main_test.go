// Package e2e has whole stories: a real API server, a real Redis, the operator as a process under its own
// role, and example workers as processes, with everything killed that can be killed.
//
//	main_test.go     one stack for all stories
//	story_test.go    one story: a namespace, a Redis and books of its own
//	await_test.go    waiting for conditions
//	report_test.go   what a person needs when a story fails
//
// Each story counts what became of its tasks from the workers' own logs (local/books), never from
// what the operator says. All run in parallel. A story that kills the operator or the API server has a stack of its own
// (startOwnStack), so that no other fails with it.
package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/rabbitmqserver/rabbitmqservertest"
	"github.com/quickube/qscaler/local/stack"
)

var (
	// shared is the stack that most stories stand on.
	shared *stack.Stack
	// images are the example workers.
	images map[string][]string
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	code, err := perform(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// perform is the operator where this binary was started as one, and all stories otherwise.
func perform(m *testing.M) (code int, err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == stack.OperatorCommand {
		return 0, stack.RunOperator(ctx, os.Args[2:])
	}
	return run(ctx, m)
}

// startTimeout bounds the start on a slow and busy machine.
const startTimeout = 3 * time.Minute

// storiesAtOnce is how many stories run at once where -parallel does not say it. They mostly wait: for tasks, and for the
// operator's pauses. By default there would be one for each processor.
const storiesAtOnce = "8"

func runManyAtOnce() error {
	flag.Parse()
	const parallel = "test.parallel"
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == parallel })
	if said {
		return nil
	}
	return flag.Set(parallel, storiesAtOnce)
}

func run(ctx context.Context, m *testing.M) (code int, err error) {
	if err := runManyAtOnce(); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "qscaler-e2e-")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if images, err = exampleworkers.Build(ctx, dir); err != nil {
		return 1, err
	}
	shared, err = stack.Start(ctx, stack.Options{
		Dir: dir + "/stack", Images: images, CrashBackOff: time.Second,
		Progress: func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) },
	})
	if err != nil {
		return 1, err
	}
	defer func() {
		if stopped := shared.Stop(); err == nil {
			err = stopped
		}
	}()
	return rabbitmqservertest.Main(m), nil
}
