package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/revision"
)

// calm is how long the operator is watched while nothing happens.
const calm = 30 * time.Second

// idle measures what QWorkers cost that have nothing to do, at several sizes: the operator's start with
// QWorkers that it has never seen, its start with ones that it knows, and half a minute in which nothing
// happens. The limit of the first is a bare client that writes as much about as many.
func idle(ctx context.Context, s *stand, o options) ([]figure, error) {
	var c collector
	known := 0
	for _, size := range o.sizes {
		if err := s.operator.stop(); err != nil {
			return nil, err
		}
		created := max(size-known, 0)
		if err := s.createIdle(ctx, known, size); err != nil {
			return nil, err
		}
		known = size
		of := fmt.Sprintf("%d QWorkers: ", size)
		began := time.Now()
		if err := s.operator.start(ctx); err != nil {
			return nil, err
		}
		if err := s.awaitQWorkers(ctx, size, isReady); err != nil {
			return nil, err
		}
		first, limit := of+"first start until all are ready", of+"limit: a bare client writes a revision and a status of each"
		c.add(first, "s", time.Since(began).Seconds())
		took, err := s.introduceBare(ctx, created)
		if err != nil {
			return nil, err
		}
		c.add(limit, "s", took.Seconds())
		if err := c.limit(first, limit); err != nil {
			return nil, err
		}

		for range o.runs {
			if err := s.operator.stop(); err != nil {
				return nil, err
			}
			began := time.Now()
			if err := s.operator.start(ctx); err != nil {
				return nil, err
			}
			if err := s.awaitKnown(ctx, size); err != nil {
				return nil, err
			}
			c.add(of+"next start until all are known", "s", time.Since(began).Seconds())
			if err := s.watchCalm(ctx, &c, of); err != nil {
				return nil, err
			}
		}
	}
	return c.figures, nil
}

// createIdle creates the QWorkers from-to, each with a queue of its own.
func (s *stand) createIdle(ctx context.Context, from, to int) error {
	return inParallel(max(to-from, 0), func(i int) error {
		name := fmt.Sprintf("idle-%d", from+i)
		return s.client.Create(ctx, qworker(name, name, 1))
	})
}

// introduceBare has a bare client write what an operator writes for n QWorkers that it has never seen: a revision and
// a status of each, copied from a known one. They are in a namespace of their own, and the operator is stopped.
func (s *stand) introduceBare(ctx context.Context, n int) (took time.Duration, err error) {
	if err := s.operator.stop(); err != nil {
		return 0, err
	}
	var known v1alpha1.QWorker
	if err := s.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "idle-0"}, &known); err != nil {
		return 0, err
	}
	var stored appsv1.ControllerRevision
	if err := s.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: revision.NamePrefix(&known) + known.Status.CurrentPodSpecHash}, &stored); err != nil {
		return 0, err
	}
	apart := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "bench-bare"}}
	if err := s.client.Create(ctx, apart); client.IgnoreAlreadyExists(err) != nil {
		return 0, err
	}
	unseen := make([]*v1alpha1.QWorker, n)
	err = inParallel(n, func(i int) error {
		unseen[i] = qworker(fmt.Sprint("bare-", i), known.Spec.ScaleConfig.Queue, 1)
		unseen[i].Namespace = apart.Name
		return s.client.Create(ctx, unseen[i])
	})
	if err != nil {
		return 0, err
	}
	began := time.Now()
	err = inParallel(n, func(i int) error {
		r := &appsv1.ControllerRevision{
			ObjectMeta: metav1.ObjectMeta{Namespace: apart.Name, Name: unseen[i].Name, Labels: stored.Labels},
			Revision:   stored.Revision, Data: stored.Data,
		}
		if err := s.client.Create(ctx, r); err != nil {
			return err
		}
		before := unseen[i].DeepCopy()
		unseen[i].Status = known.Status
		return s.client.Status().Patch(ctx, unseen[i], client.MergeFrom(before))
	})
	took = time.Since(began)
	for _, kind := range []client.Object{&v1alpha1.QWorker{}, &appsv1.ControllerRevision{}} {
		if err == nil {
			err = s.client.DeleteAllOf(ctx, kind, client.InNamespace(apart.Name))
		}
	}
	return took, err
}

func isReady(q *v1alpha1.QWorker) bool {
	return meta.IsStatusConditionTrue(q.Status.Conditions, v1alpha1.ConditionReady)
}

// awaitKnown waits until the operator has reconciled so many QWorkers with a reading of their queue.
func (s *stand) awaitKnown(ctx context.Context, size int) error {
	ctx, cancel := context.WithTimeout(ctx, waitLimit)
	defer cancel()
	for {
		u, err := s.operator.read(ctx)
		if err == nil && u.qworkersKnown >= size {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the operator knows %d of %d QWorkers after %s (%w)", u.qworkersKnown, size, waitLimit, err)
		case <-time.After(time.Second): // the answer has seven lines for each QWorker: to ask often is to measure the asking
		}
	}
}

func (s *stand) watchCalm(ctx context.Context, c *collector, of string) error {
	const settle = 5 * time.Second
	if err := pause(ctx, settle); err != nil {
		return err
	}
	before, err := s.operator.read(ctx)
	if err != nil {
		return err
	}
	commands, err := s.commands(ctx)
	if err != nil {
		return err
	}
	if err := pause(ctx, calm); err != nil {
		return err
	}
	after, err := s.operator.read(ctx)
	if err != nil {
		return err
	}
	commandsAfter, err := s.commands(ctx)
	if err != nil {
		return err
	}
	connections, err := s.info(ctx, "clients", "connected_clients")
	if err != nil {
		return err
	}
	seconds := after.at.Sub(before.at).Seconds()
	c.add(of+"processor", "cores", (after.cpu-before.cpu).Seconds()/seconds)
	c.add(of+"memory (RSS)", "MiB", after.rss/(1<<20))
	c.add(of+"Redis connections", "connections", connections-1) // one is ours
	c.add(of+"Redis commands", "1/s", (commandsAfter-commands-1)/seconds)
	c.add(of+"API reads", "1/s", (after.apiReads-before.apiReads)/seconds)
	c.add(of+"API writes", "1/s", (after.apiWrites-before.apiWrites)/seconds)
	c.add(of+"reconciliations", "1/s", (after.reconciled-before.reconciled)/seconds)
	return nil
}

// commands is how many commands Redis has processed.
func (s *stand) commands(ctx context.Context) (float64, error) {
	return s.info(ctx, "stats", "total_commands_processed")
}

func (s *stand) info(ctx context.Context, section, field string) (float64, error) {
	text, err := s.redis.Do(ctx, s.redis.B().Info().Section(section).Build()).ToString()
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), field+":"); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("INFO %s of Redis has no %s", section, field)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
