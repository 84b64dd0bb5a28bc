package fleet

import (
	"errors"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/internal/backoff"
	"github.com/quickube/qscaler/internal/planner"
)

// podRetries remembers which changes of pods have failed, and when they are tried again: a fleet that cannot shrink is
// looked at with each reading of a queue that changes all the time.
type podRetries struct {
	clock clock.PassiveClock

	mu     sync.Mutex
	owners map[types.UID]*backoff.Attempts[change]
}

// change is what is to be done with a pod.
type change struct {
	pod  string
	kind planner.Kind
}

func newPodRetries(clk clock.PassiveClock) *podRetries {
	return &podRetries{clock: clk, owners: map[types.UID]*backoff.Attempts[change]{}}
}

// attempt makes a change. One that has failed, and whose time has not come, fails as it did.
func (p *podRetries) attempt(owner types.UID, c change, act func() error) error {
	return p.of(owner).Attempt(p.clock, c, act)
}

func (p *podRetries) of(owner types.UID) *backoff.Attempts[change] {
	p.mu.Lock()
	defer p.mu.Unlock()
	attempts, found := p.owners[owner]
	if !found {
		attempts = backoff.NewAttempts[change](func(err error) (backoff.Policy, bool) {
			return WriteBackoff(err), !errors.Is(err, errStale) // the next plan is made for the pod as it is by then
		})
		p.owners[owner] = attempts
	}
	return attempts
}

// forget drops what is remembered of pods that do not exist any more. there has those that do, sorted by name.
func (p *podRetries) forget(owner types.UID, there []*corev1.Pod) {
	p.mu.Lock()
	defer p.mu.Unlock()
	attempts, found := p.owners[owner]
	if !found {
		return
	}
	attempts.Forget(func(c change) bool {
		_, found := slices.BinarySearchFunc(there, c.pod, func(pod *corev1.Pod, name string) int { return strings.Compare(pod.Name, name) })
		return !found
	})
	if attempts.Len() == 0 {
		delete(p.owners, owner)
	}
}
