package node

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// terminate ends a pod that is being deleted: its containers, then its sidecars, the last first; what is
// left at the end of the grace period is killed; then the pod object goes.
func (r *runner) terminate(now time.Time) {
	grace := int64(0)
	if r.pod.DeletionGracePeriodSeconds != nil {
		grace = *r.pod.DeletionGracePeriodSeconds
	}
	if end := now.Add(time.Duration(grace) * time.Second); r.deadline.IsZero() || (grace < r.grace && end.Before(r.deadline)) {
		r.deadline, r.grace = end, grace // a second deletion may shorten the grace, never lengthen it
	}
	r.stopAll(now)
	if r.running() > 0 {
		r.publish(r.status())
		return
	}
	switch {
	case !r.publish(r.status()):
	case !r.removed:
		r.remove()
	}
}

// stopSidecars ends what still runs of a pod that is complete.
func (r *runner) stopSidecars(now time.Time) {
	if r.running() == 0 {
		return
	}
	r.stopping = true
	if r.deadline.IsZero() {
		seconds := int64(corev1.DefaultTerminationGracePeriodSeconds)
		if own := r.pod.Spec.TerminationGracePeriodSeconds; own != nil {
			seconds = *own
		}
		r.deadline, r.grace = now.Add(time.Duration(seconds)*time.Second), seconds
	}
	r.stopAll(now)
}

// stopAll asks to end whoever's turn it is, and kills everything at the deadline.
func (r *runner) stopAll(now time.Time) {
	if !now.Before(r.deadline) {
		for _, c := range r.containers {
			c.kill()
		}
		return
	}
	r.wakeBy(r.deadline)
	later := false // something runs that comes after, in the pod's order
	for _, c := range slices.Backward(r.containers) {
		if c.process == nil {
			continue
		}
		if c.init && later {
			return // a sidecar outlives all that came after it
		}
		if !c.stopping {
			r.stop(c, r.deadline)
		}
		later = true
	}
}

// stop asks a container to end, after its preStop hook.
func (r *runner) stop(c *container, deadline time.Time) {
	c.stopping = true
	p, sig := c.process, c.stopSignal()
	if c.spec.Lifecycle == nil || c.spec.Lifecycle.PreStop == nil {
		_ = p.Signal(sig) // fails only for processes of other users
		return
	}
	hook := r.handler(c, *c.spec.Lifecycle.PreStop)
	go func() {
		ctx, cancel := context.WithDeadline(r.ctx, deadline)
		defer cancel()
		if err := hook(ctx); err != nil {
			r.node.options.Log.Info("A preStop hook failed", "pod", r.namespace+"/"+r.name, "container", c.spec.Name, "error", err.Error())
		}
		_ = p.Signal(sig)
	}()
}

func (r *runner) killWorker() error {
	result := make(chan error, 1)
	r.post(func() {
		worker := r.worker()
		if worker == nil || worker.process == nil {
			result <- fmt.Errorf("the worker container of pod %s/%s does not run", r.namespace, r.name)
			return
		}
		worker.kill()
		result <- nil
	})
	select {
	case err := <-result:
		return err
	case <-r.done:
		return fmt.Errorf("pod %s/%s has ended", r.namespace, r.name)
	}
}

// worker is the container that the pod names as its default, else the first.
func (r *runner) worker() *container {
	const annotation = "kubectl.kubernetes.io/default-container"
	var first *container
	for _, c := range r.containers {
		if c.init {
			continue
		}
		if c.spec.Name == r.pod.Annotations[annotation] {
			return c
		}
		if first == nil {
			first = c
		}
	}
	return first
}
