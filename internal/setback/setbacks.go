package setback

import (
	"maps"
	"sync"

	"k8s.io/utils/clock"
)

// Setbacks has the setbacks of what goes by a key. Different keys may be attempted at once.
type Setbacks[K comparable] struct {
	// moot is true of a failure after which the same is not wanted any more: the next attempt is another thing.
	moot func(error) bool

	mu    sync.Mutex
	byKey map[K]Setback
}

// New returns Setbacks without any. moot is true of errors that are no setback, such as a conflict.
func New[K comparable](moot func(error) bool) *Setbacks[K] {
	return &Setbacks[K]{moot: moot, byKey: map[K]Setback{}}
}

// Attempt does something, unless it has failed and its time has not come by the clock: it then fails as it did.
func (s *Setbacks[K]) Attempt(clk clock.PassiveClock, key K, act func() error) error {
	last := s.of(key)
	if clk.Now().Before(last.Until) {
		return last.Err
	}
	err := act()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil || s.moot(err) {
		delete(s.byKey, key)
		return err
	}
	s.byKey[key] = last.Again(clk.Now(), err)
	return err
}

func (s *Setbacks[K]) of(key K) Setback {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byKey[key]
}

// Forget drops the setbacks of what is gone.
func (s *Setbacks[K]) Forget(gone func(K) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.byKey, func(key K, _ Setback) bool { return gone(key) })
}

// Len is how many setbacks are remembered.
func (s *Setbacks[K]) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byKey)
}
