package rights

import (
	"context"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/internal/backoff"
)

// retry is the pause before rights that are missing are asked for again.
var retry = backoff.Policy{First: time.Second, Longest: 30 * time.Second}

// NewInformer returns a constructor of informers that are in sync although they may not list: there is nothing to be seen
// then, until the rights come. Rights that are taken away later hide nothing that was seen.
func NewInformer(clk clock.Clock) func(cache.ListerWatcher, runtime.Object, time.Duration, cache.Indexers) cache.SharedIndexInformer {
	return func(lw cache.ListerWatcher, example runtime.Object, resync time.Duration, indexers cache.Indexers) cache.SharedIndexInformer {
		return cache.NewSharedIndexInformer(patient(cache.ToListerWatcherWithContext(lw), clk), example, resync, indexers)
	}
}

// patient lists nothing where it may not list, and then watches for the rights.
func patient(lw cache.ListerWatcherWithContext, clk clock.Clock) *cache.ListWatch {
	var seen, refused atomic.Bool
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			list, err := lw.ListWithContext(ctx, options)
			switch {
			case err == nil:
				seen.Store(true)
				refused.Store(false)
			case apierrors.IsForbidden(err) && !seen.Load():
				refused.Store(true)
				return &metav1.List{}, nil
			}
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			if refused.Load() && options.SendInitialEvents == nil { // else it is a list in another form
				return watchForRights(ctx, lw, clk), nil
			}
			w, err := lw.WatchWithContext(ctx, options)
			if err == nil { // a list that is streamed is a watch too, and no other comes after it
				seen.Store(true)
				refused.Store(false)
			}
			return w, err
		},
	}
}

// watchForRights ends, as a watch that has expired, once a list is not refused any more.
func watchForRights(ctx context.Context, lw cache.ListerWatcherWithContext, clk clock.Clock) watch.Interface {
	ctx, cancel := context.WithCancel(ctx)
	events := make(chan watch.Event, 1)
	go func() {
		defer close(events)
		for pause := retry.Next(0); ; pause = retry.Next(pause) {
			select {
			case <-ctx.Done():
				return
			case <-clk.After(pause):
			}
			if _, err := lw.ListWithContext(ctx, metav1.ListOptions{Limit: 1}); !apierrors.IsForbidden(err) {
				expired := apierrors.NewResourceExpired("the rights have come").Status()
				events <- watch.Event{Type: watch.Error, Object: &expired}
				return
			}
		}
	}()
	return &waiting{events, cancel}
}

// waiting is a watch without objects.
type waiting struct {
	events chan watch.Event
	cancel context.CancelFunc
}

// Stop is watch.Interface's.
func (w *waiting) Stop() { w.cancel() }

// ResultChan is watch.Interface's.
func (w *waiting) ResultChan() <-chan watch.Event { return w.events }
