package node

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// runner owns one pod: its goroutine alone looks at and changes what is below "state". Everything else, the
// watch, processes that end, answers of the API server, comes in as an event; after each, step brings the
// pod's processes and its status nearer to what they should be.
//
//	watch, exits, answers, probes, timers --> step: schedule | run | terminate --> processes, publish(status)
//
// Nothing in step waits, so that a pod is looked after while the API server is away.
type runner struct {
	node            *Node
	namespace, name string
	events          chan func() // run by the runner's goroutine
	signal          chan struct{}
	done            chan struct{}

	mu     sync.Mutex // guards the mailbox
	latest *corev1.Pod
	gone   bool

	// state
	ctx        context.Context // ends with the node
	pod        *corev1.Pod
	bound      bool              // a binding was made, the watch will show it
	written    corev1.PodStatus  // what the API server has
	calling    bool              // a request is under way
	retryAt    time.Time         // after a failed request
	failures   int               // of requests, in a row
	wakeAt     time.Time         // the earliest time at which there is something to do without an event
	ip         string            // the pod's address
	volumes    map[string]string // directories by volume name; nil until they are there
	preparing  bool              // the volumes
	volumeNote string            // why they are not there yet
	containers []*container      // in the order of initContainers, containers
	deadline   time.Time         // of a termination that has begun
	grace      int64             // that the deadline was made from
	stopping   bool              // sidecars are being stopped because the pod is complete
	commands   int               // of hooks and probes that were made, for their names
	removed    bool              // the pod object is deleted, but for finalizers of others
	ended      bool              // nothing is left to do
	startTime  time.Time         // of the pod on this node
	volumesAt  time.Time         // of the next try to make the volumes
	projected  *corev1.Pod       // the pod as the downward API's files show it
}

func newRunner(n *Node, pod *corev1.Pod) *runner {
	return &runner{
		node: n, namespace: pod.Namespace, name: pod.Name,
		events: make(chan func()), signal: make(chan struct{}, 1), done: make(chan struct{}),
		latest: pod, written: *pod.Status.DeepCopy(),
	}
}

// see puts the pod as the watch has it into the mailbox.
func (r *runner) see(pod *corev1.Pod) {
	r.mu.Lock()
	r.latest = pod
	r.mu.Unlock()
	r.wake()
}

// seen is the pod as the watch has it.
func (r *runner) seen() *corev1.Pod {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.latest
}

// present is the pod with the status that it has here. The watch brings that back some time after the API server has it,
// and people ask about a pod as soon as the API server says that it runs.
func (r *runner) present() *corev1.Pod {
	answer := make(chan *corev1.Pod, 1)
	r.post(func() {
		pod := r.pod.DeepCopy()
		if r.containers != nil {
			pod.Status = r.status()
		}
		answer <- pod
	})
	select {
	case pod := <-answer:
		return pod
	case <-r.done:
		return r.seen()
	}
}

// vanished notes that the pod is gone from the API.
func (r *runner) vanished() {
	r.mu.Lock()
	r.gone = true
	r.mu.Unlock()
	r.wake()
}

func (r *runner) wake() {
	select {
	case r.signal <- struct{}{}:
	default: // it will look anyway
	}
}

// post hands an event to the runner's goroutine; it is dropped when that has ended.
func (r *runner) post(event func()) {
	select {
	case r.events <- event:
	case <-r.done:
	}
}

func (r *runner) run(ctx context.Context) {
	defer close(r.done)
	r.ctx = ctx
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		r.wakeAt = time.Time{}
		r.step(time.Now())
		if r.ended {
			return
		}
		timer.Stop()
		if !r.wakeAt.IsZero() {
			timer.Reset(time.Until(r.wakeAt))
		}
		select {
		case <-r.signal:
		case event := <-r.events:
			event()
		case <-timer.C:
		case <-ctx.Done():
			r.shutdown()
			return
		}
	}
}

// wakeBy asks for a step at that time.
func (r *runner) wakeBy(t time.Time) {
	if r.wakeAt.IsZero() || t.Before(r.wakeAt) {
		r.wakeAt = t
	}
}

func (r *runner) step(now time.Time) {
	r.mu.Lock()
	latest, gone := r.latest, r.gone
	r.mu.Unlock()
	r.pod = latest
	switch {
	case gone:
		r.vanish()
	case r.pod.Spec.NodeName == "":
		if !r.bound {
			r.schedule()
		}
	case r.pod.Spec.NodeName != r.node.options.Name:
		r.ended = true
	default:
		r.adopt(now)
		r.refreshVolumes()
		if r.pod.DeletionTimestamp != nil {
			r.terminate(now)
		} else {
			r.work(now)
		}
	}
	if r.calling || r.retryAt.Before(now) {
		return
	}
	r.wakeBy(r.retryAt)
}

// adopt prepares a pod that is seen for the first time.
func (r *runner) adopt(now time.Time) {
	if r.containers != nil {
		return
	}
	r.written = *r.pod.Status.DeepCopy()
	r.ip = r.node.addresses.take(r.pod.UID, r.pod.Status.PodIP)
	if r.pod.Spec.HostNetwork {
		r.ip = hostIP
	}
	r.startTime = now
	if r.pod.Status.StartTime != nil {
		r.startTime = r.pod.Status.StartTime.Time
	}
	for _, c := range r.pod.Spec.InitContainers {
		r.containers = append(r.containers, newContainer(c, true, &r.pod.Status, now))
	}
	for _, c := range r.pod.Spec.Containers {
		r.containers = append(r.containers, newContainer(c, false, &r.pod.Status, now))
	}
}

// vanish kills what is left of a pod that was deleted without a grace period.
func (r *runner) vanish() {
	for _, c := range r.containers {
		c.kill()
	}
	if r.running() > 0 {
		return
	}
	r.ended = true
	r.node.removePod(r.pod)
}

// shutdown ends the pod's processes with the node. Their pod stays as it is, as when a machine goes down;
// the next node with this directory restarts them.
func (r *runner) shutdown() {
	var waiting sync.WaitGroup
	for _, c := range r.containers {
		c.stopProbes()
		if c.process != nil {
			waiting.Go(func() { _ = c.process.Stop(r.node.options.StopGrace) })
		}
	}
	waiting.Wait()
}

// running counts containers that run or are about to.
func (r *runner) running() int {
	n := 0
	for _, c := range r.containers {
		if c.process != nil || c.starting {
			n++
		}
	}
	return n
}
