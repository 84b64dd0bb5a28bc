package backoff

import (
	"maps"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// Attempts has the states of things that go by a key. Different keys may be attempted at once.
type Attempts[K comparable] struct {
	// policy says how long a failure holds back the next attempt. It returns false for a failure after which the same
	// is not wanted any more: the next attempt is then another thing, and is not held back.
	policy func(error) (Policy, bool)

	mu    sync.Mutex
	byKey map[K]State
}

// NewAttempts returns Attempts of which none has failed.
func NewAttempts[K comparable](policy func(error) (Policy, bool)) *Attempts[K] {
	return &Attempts[K]{policy: policy, byKey: map[K]State{}}
}

// Attempt does something, unless it has failed and its time has not come by the clock: it then fails as it did.
func (a *Attempts[K]) Attempt(clk clock.PassiveClock, key K, act func() error) error {
	last := a.of(key)
	if clk.Now().Before(last.Until) {
		return last.Err
	}
	err := act()
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		if p, again := a.policy(err); again {
			a.byKey[key] = last.Failed(clk.Now(), p, err)
			return err
		}
	}
	delete(a.byKey, key)
	return err
}

// RetryAt is when something that has failed is attempted again, zero where it has not failed.
func (a *Attempts[K]) RetryAt(key K) time.Time { return a.of(key).Until }

func (a *Attempts[K]) of(key K) State {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byKey[key]
}

// Forget drops the states of what is gone.
func (a *Attempts[K]) Forget(gone func(K) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.byKey, func(key K, _ State) bool { return gone(key) })
}

// Len is how many failures are remembered.
func (a *Attempts[K]) Len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.byKey)
}
