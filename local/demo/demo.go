package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/local/brokers"
	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/stack"
)

// Options is how the demo runs.
type Options struct {
	// Dir has everything that it writes, and is removed.
	Dir string
	// Out is where the story is shown.
	Out *os.File
	// Broker is the one that the story is told on.
	Broker brokers.Broker
}

// Run brings local mode up, plays the story, prints the summary and takes everything down. It returns an error
// when a task was lost, or interrupted by scaling, or when the story did not come to its end.
func Run(ctx context.Context, o Options) (err error) {
	// What libraries log would run through the picture.
	ctrl.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())

	if err := o.Broker.MissingWorker(ctx); err != nil {
		return err
	}
	progress := newProgress(o.Out)
	local, err := stack.Start(ctx, stack.Options{
		Dir: o.Dir, Build: exampleworkers.Build, Broker: o.Broker, BrokerPassword: password, Progress: progress,
	})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil && ctx.Err() == nil {
			kept, keepErr := local.KeepLogs()
			progress("the logs are in %s", kept)
			err = errors.Join(err, keepErr)
		}
		progress("stopping everything, and removing what was written")
		err = errors.Join(err, local.Stop())
	}()
	s, err := newStage(ctx, local, o.Broker)
	if err != nil {
		return err
	}
	defer s.queue.Close()
	progress("ready: %s, kubectl --kubeconfig %s", local.Broker(), local.Kubeconfig())
	if err := perform(ctx, s, newViewer(o.Out)); err != nil {
		return err
	}
	result, err := count(ctx, s.world, s.queue)
	if err != nil {
		return err
	}
	result.print(o.Out)
	return result.failure()
}

// newProgress prints lines with the time since the start.
func newProgress(out io.Writer) func(format string, args ...any) {
	began := time.Now()
	return func(format string, args ...any) {
		fmt.Fprintf(out, "%5s  %s\n", stamp(time.Since(began)), fmt.Sprintf(format, args...))
	}
}

func newStage(ctx context.Context, local *stack.Stack, broker brokers.Broker) (*stage, error) {
	c, err := client.New(local.Config(), client.Options{Scheme: operator.NewScheme()})
	if err != nil {
		return nil, err
	}
	tasks, err := broker.Connect(ctx, local.Broker(), password, queue)
	if err != nil {
		return nil, fmt.Errorf("connecting to the %s, %w", local.Broker(), err)
	}
	logPath := func(pod string) string { return local.LogPath(namespace, pod, container) }
	return &stage{world: newWorld(local.Broker().String(), logPath), stack: local, client: c, broker: broker, queue: tasks}, nil
}

// perform plays the story while the viewer shows it.
func perform(ctx context.Context, s *stage, v viewer) error {
	defer v.close()
	ctx, cancel := context.WithCancel(ctx)
	var looking sync.WaitGroup
	defer looking.Wait()
	defer cancel()
	if err := watch(ctx, s.stack.Config(), s.world); err != nil {
		return err
	}
	looking.Go(func() { look(ctx, s.world, s.queue, v.show) })
	if err := applyManifests(ctx, s.client, s.broker, s.stack.Broker()); err != nil {
		return err
	}
	return play(ctx, s)
}
