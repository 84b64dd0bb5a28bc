package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/redis/rueidis"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/local/books"
	"github.com/quickube/qscaler/local/brokers"
	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/stack"
	"github.com/quickube/qscaler/worker/contract"
)

const container = "worker"

// firstTask measures, in local mode, the time from a push to an idle queue until a worker has begun the task, 0 -> 1.
// That includes the operator, the API server, the node and the start of a process. The limit is the same worker,
// started by hand for a task that already waits. The two take turns. The time is the worker's own, in whole
// milliseconds.
func firstTask(ctx context.Context, _ *stand, o options) (_ []figure, err error) {
	const (
		name  = "push to first task begun, 0 -> 1, in local mode"
		limit = "limit: the worker, started by hand, begins its first task"
		fewer = 10 // a sample takes about a second
	)
	l, err := newLocalStand(ctx, o)
	if err != nil {
		return nil, err
	}
	defer l.stop()
	var c collector
	for i := range max(o.samples/fewer, fewer) {
		took, err := l.sample(ctx, fmt.Sprintf("t-%d", i))
		if err != nil {
			return nil, fmt.Errorf("sample %d, %w", i, err)
		}
		c.took(name, took)
		if took, err = l.sampleByHand(ctx, fmt.Sprintf("h-%d", i)); err != nil {
			return nil, fmt.Errorf("limit %d, %w", i, err)
		}
		c.took(limit, took)
	}
	return c.figures, c.limit(name, limit)
}

// localStand is local mode with one idle fleet.
type localStand struct {
	*stand
	stack  *stack.Stack
	worker []string // the worker's program and arguments
	dir    string
}

func newLocalStand(ctx context.Context, o options) (_ *localStand, err error) {
	l := &localStand{stand: &stand{}}
	defer func() {
		if err != nil {
			l.stop()
		}
	}()
	if l.dir, err = os.MkdirTemp("", "qscaler-bench-"); err != nil {
		return nil, err
	}
	l.stops = append(l.stops, func() { _ = os.RemoveAll(l.dir) })
	images, err := exampleworkers.Build(ctx, l.dir)
	if err != nil {
		return nil, err
	}
	l.worker = images[exampleworkers.SDK]
	program, err := filepath.Abs(filepath.Join(filepath.Dir(o.operator), "qscaler-local"))
	if err != nil {
		return nil, err
	}
	l.stack, err = stack.Start(ctx, stack.Options{
		Dir: filepath.Join(l.dir, "stack"), Images: images, Broker: brokers.Default(),
		Operator: []string{program, stack.OperatorCommand},
	})
	if err != nil {
		return nil, err
	}
	l.stops = append(l.stops, func() { _ = l.stack.Stop() })
	l.redis, err = rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{l.stack.Broker().Addr()}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		return nil, err
	}
	l.stops = append(l.stops, l.redis.Close)
	if l.client, err = client.NewWithWatch(l.stack.Config(), client.Options{Scheme: operator.NewScheme()}); err != nil {
		return nil, err
	}
	fleet := qworker("bench", queue, 1)
	fleet.Spec.PodSpec.Containers = []corev1.Container{{Name: container, Image: exampleworkers.SDK}}
	for _, object := range []client.Object{scalerConfig(l.stack.Broker().Port()), fleet} {
		if err := l.client.Create(ctx, object); err != nil {
			return nil, err
		}
	}
	err = l.awaitQWorkers(ctx, 1, isRead)
	return l, err
}

// sample pushes a task and waits until its worker has begun it, and then until the worker has left.
func (l *localStand) sample(ctx context.Context, task string) (time.Duration, error) {
	pods, err := l.client.Watch(ctx, &corev1.PodList{}, client.InNamespace(namespace))
	if err != nil {
		return 0, err
	}
	defer pods.Stop()
	began := time.Now()
	if err := l.pushTask(ctx, queue, task); err != nil {
		return 0, err
	}
	pod, err := await(pods, "ADDED")
	if err != nil {
		return 0, err
	}
	started, err := awaitStart(ctx, l.stack.LogPath(namespace, pod.Name, container))
	if err != nil {
		return 0, err
	}
	_, err = await(pods, "DELETED")
	return started.Sub(began), err
}

// sampleByHand starts the worker for a task that waits, without a pod.
func (l *localStand) sampleByHand(ctx context.Context, task string) (time.Duration, error) {
	const byHand = "by-hand"
	if err := l.pushTask(ctx, byHand, task); err != nil {
		return 0, err
	}
	path := filepath.Join(l.dir, task+".log")
	log, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = log.Close() }()
	command := exec.Command(l.worker[0], l.worker[1:]...)
	command.Stdout, command.Stderr = log, log
	command.Env = append(os.Environ(),
		contract.EnvQueue+"="+byHand, contract.EnvPodName+"="+byHand, contract.EnvBroker+"=redis",
		contract.EnvBrokerAddress+"="+l.stack.Broker().Addr(), contract.EnvDrainFile+"="+filepath.Join(l.dir, "drain"))
	began := time.Now()
	if err := command.Start(); err != nil {
		return 0, err
	}
	started, err := awaitStart(ctx, path)
	_ = command.Process.Signal(os.Interrupt)
	if waited := command.Wait(); err == nil {
		err = waited
	}
	return started.Sub(began), err
}

func (l *localStand) pushTask(ctx context.Context, queue, id string) error {
	return l.redis.Do(ctx, l.redis.B().Lpush().Key(queue).Element(fmt.Sprintf(`{"id":%q,"ms":0}`, id)).Build()).Error()
}

// awaitStart waits until a worker's log says that it has begun a task, and returns when that was by its clock.
func awaitStart(ctx context.Context, log string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, waitLimit)
	defer cancel()
	b := books.New()
	b.Follow(container, log)
	for {
		if err := b.Refresh(); err != nil {
			return time.Time{}, err
		}
		if at, ok := b.FirstStart(container); ok {
			return at, nil
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return time.Time{}, fmt.Errorf("waiting for the first line of %s, %w", log, err)
		}
	}
}
