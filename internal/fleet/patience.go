package fleet

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/internal/planner"
)

const (
	retryBase = 100 * time.Millisecond
	// refusedRetryMax is the longest pause after the API server has refused a write: somebody has to change something.
	refusedRetryMax = time.Minute
	// failedRetryMax is that after a write that failed otherwise, as in an outage: that passes by itself, and once it
	// has all is to go on at once.
	failedRetryMax = 5 * time.Second
)

// NextPause is how long to wait after a write has failed again: a little at first, and then twice as long as the last
// time, which was 0 before the first.
func NextPause(last time.Duration, err error) time.Duration {
	longest := failedRetryMax
	if isRefusal(err) {
		longest = refusedRetryMax
	}
	return min(max(2*last, retryBase), longest)
}

// patience remembers which changes of pods have failed, and when they are tried again: a fleet that cannot shrink is
// looked at with each reading of a queue that changes all the time.
type patience struct {
	clock clock.PassiveClock

	mu     sync.Mutex
	owners map[types.UID]map[change]setback
}

// change is what is to be done with a pod.
type change struct {
	pod  string
	kind planner.Kind
}

// setback is why that failed, and when it is tried again.
type setback struct {
	err   error
	pause time.Duration
	until time.Time
}

func newPatience(clk clock.PassiveClock) *patience {
	return &patience{clock: clk, owners: map[types.UID]map[change]setback{}}
}

// attempt makes a change. One that has failed, and whose time has not come, fails as it did.
func (p *patience) attempt(owner types.UID, c change, act func() error) error {
	last := p.last(owner, c)
	if p.clock.Now().Before(last.until) {
		return last.err
	}
	err := act()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil || errors.Is(err, errStale) {
		delete(p.owners[owner], c)
		return err
	}
	if p.owners[owner] == nil {
		p.owners[owner] = map[change]setback{}
	}
	pause := NextPause(last.pause, err)
	p.owners[owner][c] = setback{err: err, pause: pause, until: p.clock.Now().Add(pause)}
	return err
}

func (p *patience) last(owner types.UID, c change) setback {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.owners[owner][c]
}

// forget drops what is remembered of pods that are not among those that are there, which are in the order of names.
func (p *patience) forget(owner types.UID, there []*corev1.Pod) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.owners[owner], func(c change, _ setback) bool {
		_, found := slices.BinarySearchFunc(there, c.pod, func(pod *corev1.Pod, name string) int { return strings.Compare(pod.Name, name) })
		return !found
	})
	if len(p.owners[owner]) == 0 {
		delete(p.owners, owner)
	}
}
