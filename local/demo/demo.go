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
	"github.com/redis/rueidis"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/stack"
)

// Options is how the demo runs.
type Options struct {
	// Dir has everything that it writes, and is removed.
	Dir string
	// Out is where the story is shown.
	Out *os.File
}

// Run brings local mode up, plays the story, prints the summary and takes everything down. It returns an error
// when a task was lost, or interrupted by scaling, or when the story did not come to its end.
func Run(ctx context.Context, o Options) (err error) {
	// What libraries log would run through the picture.
	ctrl.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())

	progress := newProgress(o.Out)
	local, err := stack.Start(ctx, stack.Options{
		Dir: o.Dir, Build: exampleworkers.Build, RedisPassword: password, Progress: progress,
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
	s, err := newStage(local)
	if err != nil {
		return err
	}
	defer s.redis.Close()
	progress("ready: %s, kubectl --kubeconfig %s", local.Redis(), local.Kubeconfig())
	if err := perform(ctx, s, newViewer(o.Out)); err != nil {
		return err
	}
	result, err := count(ctx, s.world, s.redis)
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

func newStage(local *stack.Stack) (*stage, error) {
	c, err := client.New(local.Config(), client.Options{Scheme: operator.NewScheme()})
	if err != nil {
		return nil, err
	}
	redis, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{local.Redis().Addr()}, Password: password, DisableCache: true, ForceSingleClient: true,
	})
	if err != nil {
		return nil, fmt.Errorf("connecting to the %s, %w", local.Redis(), err)
	}
	logPath := func(pod string) string { return local.LogPath(namespace, pod, container) }
	return &stage{world: newWorld(local.Redis().String(), logPath), stack: local, client: c, redis: redis}, nil
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
	looking.Go(func() { look(ctx, s.world, s.redis, v.show) })
	if err := applyManifests(ctx, s.client, s.stack.Redis().Port()); err != nil {
		return err
	}
	return play(ctx, s)
}
