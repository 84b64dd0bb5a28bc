package apicalls

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
)

// Limits bound the writes of namespaces whose writes are slow. Those of the others are not bounded.
type Limits struct {
	// Namespace is how many of one namespace may be under way at once, All how many of all together.
	Namespace, All int
	// After is how long a write takes that is slow. The writes of its namespace count as slow for the time For.
	After, For time.Duration
	// Wait is how long a write waits for its turn before it is refused.
	Wait time.Duration
}

// Lanes hold back the writes of namespaces whose writes are slow.
type Lanes struct {
	limits Limits
	clock  clock.WithDelayedExecution

	mu sync.Mutex
	// underWay counts the writes that are under way, by namespace.
	underWay map[string]int
	// slowUntil has the namespaces whose writes are slow.
	slowUntil map[string]time.Time
	// waiting are the writes that wait for their turn, the first one first.
	waiting []*waiter
}

type waiter struct {
	namespace string
	turn      chan struct{}
}

// NewLanes returns Lanes that hold nothing back yet.
func NewLanes(limits Limits, clk clock.WithDelayedExecution) *Lanes {
	return &Lanes{limits: limits, clock: clk, underWay: map[string]int{}, slowUntil: map[string]time.Time{}}
}

// Around has the writes of a client pass the lanes.
func (l *Lanes) Around(next http.RoundTripper) http.RoundTripper {
	return RoundTripperFunc(func(r *http.Request) (*http.Response, error) {
		namespace := namespaceOf(r.URL.Path)
		if r.Method == http.MethodGet || namespace == "" {
			return next.RoundTrip(r)
		}
		if err := l.enter(r.Context(), namespace); err != nil {
			if r.Body != nil {
				_ = r.Body.Close()
			}
			if r.Context().Err() != nil {
				return nil, err
			}
			return refusal(r, err)
		}
		slow := l.clock.AfterFunc(l.limits.After, func() { l.noteSlow(namespace) })
		defer func() {
			if !slow.Stop() {
				l.noteSlow(namespace)
			}
			l.leave(namespace)
		}()
		return next.RoundTrip(r)
	})
}

// namespaceOf is the namespace of a path of the API, "" where it is none's.
func namespaceOf(path string) string {
	_, rest, found := strings.Cut(path, "/namespaces/")
	if !found {
		return ""
	}
	namespace, _, _ := strings.Cut(rest, "/")
	return namespace
}

// refusal is an answer as the API server's, so that whoever wrote knows that nothing was written.
func refusal(r *http.Request, why error) (*http.Response, error) {
	status := apierrors.NewTooManyRequestsError(why.Error()).Status()
	status.Kind, status.APIVersion = "Status", "v1"
	words, err := json.Marshal(status)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status: http.StatusText(http.StatusTooManyRequests), StatusCode: http.StatusTooManyRequests,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(words)),
		ContentLength: int64(len(words)), Request: r,
	}, nil
}

// enter waits until a write may begin.
func (l *Lanes) enter(ctx context.Context, namespace string) error {
	l.mu.Lock()
	if l.hasRoom(namespace) {
		l.underWay[namespace]++
		l.mu.Unlock()
		return nil
	}
	w := &waiter{namespace: namespace, turn: make(chan struct{})}
	l.waiting = append(l.waiting, w)
	l.mu.Unlock()

	timeout := l.clock.NewTimer(l.limits.Wait)
	defer timeout.Stop()
	var err error
	select {
	case <-w.turn:
		return nil
	case <-ctx.Done():
		err = fmt.Errorf("waiting for the slow writes of the namespace %s, %w", namespace, ctx.Err())
	case <-timeout.C():
		err = fmt.Errorf("the writes of the namespace %s are slow, and this one had no turn within %s; look for an admission webhook that takes long", namespace, l.limits.Wait)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.waiting, w); i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
		return err
	}
	return nil // its turn came at the same moment
}

// hasRoom reports whether one more write of a namespace may be under way.
func (l *Lanes) hasRoom(namespace string) bool {
	if !l.isSlow(namespace) {
		return true
	}
	all := 0
	for slow := range l.slowUntil {
		if l.isSlow(slow) {
			all += l.underWay[slow]
		}
	}
	return l.underWay[namespace] < l.limits.Namespace && all < l.limits.All
}

func (l *Lanes) isSlow(namespace string) bool {
	until, slow := l.slowUntil[namespace]
	return slow && l.clock.Now().Before(until)
}

// noteSlow remembers that a write of a namespace is slow.
func (l *Lanes) noteSlow(namespace string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	for other, until := range l.slowUntil {
		if !now.Before(until) {
			delete(l.slowUntil, other)
		}
	}
	l.slowUntil[namespace] = now.Add(l.limits.For)
}

// leave says that a write is over, and lets those begin that have room now.
func (l *Lanes) leave(namespace string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.underWay[namespace]--; l.underWay[namespace] == 0 {
		delete(l.underWay, namespace)
	}
	l.waiting = slices.DeleteFunc(l.waiting, func(w *waiter) bool {
		if !l.hasRoom(w.namespace) {
			return false
		}
		l.underWay[w.namespace]++
		close(w.turn)
		return true
	})
}
