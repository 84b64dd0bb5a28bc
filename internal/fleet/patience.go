package fleet

import (
	"errors"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/setback"
)

// patience remembers which changes of pods have failed, and when they are tried again: a fleet that cannot shrink is
// looked at with each reading of a queue that changes all the time.
type patience struct {
	clock clock.PassiveClock

	mu     sync.Mutex
	owners map[types.UID]*setback.Setbacks[change]
}

// change is what is to be done with a pod.
type change struct {
	pod  string
	kind planner.Kind
}

func newPatience(clk clock.PassiveClock) *patience {
	return &patience{clock: clk, owners: map[types.UID]*setback.Setbacks[change]{}}
}

// attempt makes a change. One that has failed, and whose time has not come, fails as it did.
func (p *patience) attempt(owner types.UID, c change, act func() error) error {
	return p.of(owner).Attempt(p.clock, c, act)
}

func (p *patience) of(owner types.UID) *setback.Setbacks[change] {
	p.mu.Lock()
	defer p.mu.Unlock()
	setbacks, found := p.owners[owner]
	if !found {
		setbacks = setback.New[change](func(err error) bool { return errors.Is(err, errStale) })
		p.owners[owner] = setbacks
	}
	return setbacks
}

// forget drops what is remembered of pods that are not among those that are there, which are in the order of names.
func (p *patience) forget(owner types.UID, there []*corev1.Pod) {
	p.mu.Lock()
	defer p.mu.Unlock()
	setbacks, found := p.owners[owner]
	if !found {
		return
	}
	setbacks.Forget(func(c change) bool {
		_, found := slices.BinarySearchFunc(there, c.pod, func(pod *corev1.Pod, name string) int { return strings.Compare(pod.Name, name) })
		return !found
	})
	if setbacks.Len() == 0 {
		delete(p.owners, owner)
	}
}
