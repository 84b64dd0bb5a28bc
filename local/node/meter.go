package node

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/dynamic"

	"github.com/quickube/qscaler/local/process"
)

// limitInterval is how often the memory of containers is compared with their limit.
const limitInterval = 200 * time.Millisecond

// meter knows what every container uses: it kills those above their limit of memory, and publishes the rest.
type meter struct {
	client dynamic.Interface
	log    logr.Logger

	mu         sync.Mutex
	containers map[int]metered // by the number of the process
}

// metered is a container that runs.
type metered struct {
	runner *runner
	// container belongs to the runner's goroutine; only its name and identity are looked at here.
	container *container
	name      string
}

func newMeter(client dynamic.Interface, log logr.Logger) *meter {
	return &meter{client: client, log: log, containers: map[int]metered{}}
}

func (m *meter) add(pid int, r *runner, c *container) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.containers[pid] = metered{runner: r, container: c, name: c.spec.Name}
}

func (m *meter) remove(pid int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.containers, pid)
}

// running has the containers that run, and whether one of them has a limit of memory.
func (m *meter) running() (containers map[int]metered, limited bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	containers = make(map[int]metered, len(m.containers))
	for pid, c := range m.containers {
		containers[pid] = c
		limited = limited || c.limit() > 0
	}
	return containers, limited
}

// run meters until the context ends. An interval of 0 publishes nothing.
func (m *meter) run(ctx context.Context, interval time.Duration) {
	limits := time.NewTicker(limitInterval)
	defer limits.Stop()
	var metrics <-chan time.Time
	if interval > 0 {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		metrics = ticker.C
	}
	p := newPublisher(m.client)
	for {
		select {
		case <-ctx.Done():
			return
		case <-limits.C:
			m.enforce()
		case <-metrics:
			containers, _ := m.running()
			if usages, err := process.Usages(); err != nil {
				m.log.Error(err, "The usage of pods cannot be read")
			} else if err := p.publish(ctx, containers, usages, time.Now()); err != nil && ctx.Err() == nil {
				m.log.Info("Publishing the usage of pods", "error", err.Error())
			}
		}
	}
}

// enforce kills what holds more memory than its limit.
func (m *meter) enforce() {
	containers, limited := m.running()
	if !limited {
		return
	}
	usages, err := process.Usages()
	if err != nil {
		m.log.Error(err, "Limits of memory cannot be enforced")
		return
	}
	for pid, c := range containers {
		if limit := c.limit(); limit > 0 && usages[pid].Memory > limit {
			c.runner.post(func() { c.runner.killTooLarge(c.container, pid) })
		}
	}
}

// limit is the container's limit of memory as the pod's spec has it now, in bytes; 0 is none.
func (c metered) limit() int64 {
	c.runner.mu.Lock()
	defer c.runner.mu.Unlock()
	spec := &c.runner.latest.Spec
	for _, list := range [][]corev1.Container{spec.Containers, spec.InitContainers} {
		for i := range list {
			if list[i].Name == c.name {
				return list[i].Resources.Limits.Memory().Value()
			}
		}
	}
	return 0
}

// killTooLarge kills the run of that process, if it still is the present one.
func (r *runner) killTooLarge(c *container, pid int) {
	if c.process != nil && c.process.PID() == pid {
		c.tooLarge = true
		c.kill()
	}
}
