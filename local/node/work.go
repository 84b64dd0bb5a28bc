package node

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// work brings a pod that is to run nearer to running: volumes, init containers one after the other,
// sidecars, then all containers; and to its end when those have ended.
func (r *runner) work(now time.Time) {
	policy := r.pod.Spec.RestartPolicy
	switch {
	case r.pod.Status.Phase == corev1.PodSucceeded || r.pod.Status.Phase == corev1.PodFailed:
		return // a finished pod stays as it is until it is deleted
	case r.complete():
		r.stopSidecars(now)
	case r.volumes == nil:
		r.prepareVolumes(now)
	default:
		for _, c := range r.containers {
			if !r.mayRun(c) {
				break
			}
			if c.process == nil && !c.starting && !c.final(policy) {
				r.restart(c, now)
			}
		}
	}
	r.publish(r.status())
}

// mayRun reports whether everything that must come before the container has.
func (r *runner) mayRun(c *container) bool {
	for _, other := range r.containers {
		switch {
		case other == c || !other.init:
			return true
		case other.sidecar() && !other.started:
			return false
		case !other.sidecar() && !other.succeeded():
			return false
		}
	}
	return true
}

func (r *runner) initialized() bool {
	for _, c := range r.containers {
		if !c.init {
			return r.mayRun(c)
		}
	}
	return true
}

// complete reports whether the pod has done what it will do: all its containers have ended for good, or an
// init container has failed for good.
func (r *runner) complete() bool {
	policy := r.pod.Spec.RestartPolicy
	for _, c := range r.containers {
		if c.init {
			if !c.sidecar() && c.final(policy) && !c.succeeded() {
				return true
			}
			continue
		}
		if !c.final(policy) {
			return false
		}
	}
	return true
}

// restart starts a container when its back-off allows.
func (r *runner) restart(c *container, now time.Time) {
	if now.Before(c.retryAt) {
		r.wakeBy(c.retryAt)
		return
	}
	base, limit := r.node.options.CrashBackOff, r.node.options.MaxCrashBackOff
	if c.terminated == nil {
		r.start(c)
		return
	}
	finished := c.terminated.FinishedAt.Time
	at, wait := c.crashes.until(finished, limit)
	if now.Before(at) {
		c.waiting = &corev1.ContainerStateWaiting{
			Reason:  "CrashLoopBackOff",
			Message: fmt.Sprintf("back-off %s restarting failed container=%s pod=%s_%s(%s)", wait, c.spec.Name, r.name, r.namespace, r.pod.UID),
		}
		r.wakeBy(at)
		return
	}
	c.crashes.restarted(finished, now, base, limit)
	r.start(c)
}
