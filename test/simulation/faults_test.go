package simulation

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// faults decides what becomes of the operator's requests. What it decides depends on the seed, the second and the
// request, and not on the order in which requests arrive: the operator writes pods in parallel.
type faults struct {
	seed uint64

	mu       sync.Mutex
	tick     int
	attempts map[string]int
	// away is true while nobody reaches the API server.
	away bool
	// heard is when it was last away, zero for never.
	heard time.Time
	// oneIn is how rare a fault is; 0 is never.
	oneIn int
	// refuses is a kind of which no write is made; "" for none.
	refuses kind
	// crash is which kind of write is the last one that this process makes; "" for none. Of pods that are written
	// at once some are, and others are not.
	crash   kind
	crashed bool
	writes  int
	log     func(format string, args ...any)
}

// begin is called before each second.
func (f *faults) begin(tick int, away bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away || away {
		f.heard = time.Now()
	}
	f.tick, f.attempts, f.away = tick, map[string]int{}, away
}

// heardSince is since when the API server answers.
func (f *faults) heardSince() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return time.Now()
	}
	return f.heard
}

// draw is a number for a request, the same in each run of the seed.
func (f *faults) draw(request string) uint64 {
	f.attempts[request]++
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d/%d/%s/%d", f.seed, f.tick, request, f.attempts[request]) // a hash does not fail
	sum := h.Sum64()
	sum ^= sum >> 31
	return sum * 0x9E3779B97F4A7C15 >> 16 // the last digits of an FNV sum alone are no good draw
}

var (
	errCrashed    = fmt.Errorf("the process has ended, %w", context.Canceled)
	errAway       = errors.New("connect: connection refused")
	errAnswerLost = errors.New("the connection was reset before the answer came")
)

// write carries a write out, or not.
func (f *faults) write(verb string, k kind, name string, do func() error) error {
	f.mu.Lock()
	request := fmt.Sprintf("%s %s %s", verb, k, name)
	n := f.draw(request)
	away := f.away
	dying := !away && f.crash == k && (k != qworkers || f.crashed || n%3 > 0)
	ended := f.crashed && !dying
	if dying {
		f.crashed = true
	}
	faulty := f.oneIn > 0 && n%uint64(f.oneIn) == 0
	f.writes++
	refused := k == f.refuses
	f.mu.Unlock()
	switch {
	case refused:
		return apierrors.NewInternalError(errors.New("a webhook does not answer"))
	case ended:
		return errCrashed
	case away:
		return errAway
	case dying:
		landed := n/8%2 == 0
		if landed {
			landed = do() == nil
		}
		f.log("crash at: %s, written: %t", request, landed)
		return errCrashed
	case faulty:
		err := f.fail(n/uint64(f.oneIn)%5, k, name, do)
		f.log("fault: %s: %v", request, err)
		return err
	default:
		return do()
	}
}

func (f *faults) fail(how uint64, k kind, name string, do func() error) error {
	switch how {
	case 0:
		return apierrors.NewConflict(k.resource(), name, errors.New("somebody was quicker"))
	case 1:
		return apierrors.NewTooManyRequests("too many requests", 1)
	case 2:
		return apierrors.NewInternalError(errors.New("etcd has no leader"))
	case 3: // it was not written
		return apierrors.NewTimeoutError("the request did not complete", 1)
	default: // it was written
		if err := do(); err != nil {
			return err
		}
		return errAnswerLost
	}
}

func (f *faults) isCrashed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.crashed
}

// live reads from the API server itself, which may fail.
type live struct {
	reader
	*faults
}

func (l live) Get(ctx context.Context, key client.ObjectKey, into client.Object, opts ...client.GetOption) error {
	if err := l.refuse("get " + key.Name); err != nil {
		return err
	}
	return l.reader.Get(ctx, key, into, opts...)
}

func (l live) List(ctx context.Context, into client.ObjectList, opts ...client.ListOption) error {
	if err := l.refuse("list"); err != nil {
		return err
	}
	return l.reader.List(ctx, into, opts...)
}

func (l live) refuse(request string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.draw(request)
	switch {
	case l.crashed:
		return errCrashed
	case l.away:
		return errAway
	case l.oneIn > 0 && n%uint64(l.oneIn) == 0:
		return apierrors.NewTooManyRequests("too many requests", 1)
	default:
		return nil
	}
}
