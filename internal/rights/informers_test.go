package rights

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/internal/bubbletest"
)

// server lists one pod, or refuses.
type server struct {
	// streams is true for an API server that streams lists.
	streams bool

	mu    sync.Mutex
	err   error
	lists int // of both kinds
	// open is the watch that was begun last.
	open *watch.FakeWatcher
}

func (s *server) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *server) list(context.Context, metav1.ListOptions) (runtime.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists++
	return &corev1.PodList{Items: []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "pod"}}}}, s.err
}

func (s *server) watch(_ context.Context, options metav1.ListOptions) (watch.Interface, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	s.open = watch.NewFakeWithChanSize(2, false)
	if options.SendInitialEvents == nil {
		return s.open, nil
	}
	if !s.streams {
		return nil, apierrors.NewInvalid(schema.GroupKind{Kind: "ListOptions"}, "", nil)
	}
	s.lists++
	s.open.Add(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "pod", ResourceVersion: "1"}})
	s.open.Action(watch.Bookmark, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		ResourceVersion: "1", Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"},
	}})
	return s.open, nil
}

func forbidden() error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New("no RoleBinding"))
}

// seen runs an informer in a bubble.
func seen(t *testing.T, s *server, story func(names func() int, synced func() bool)) {
	t.Helper()
	bubbletest.Run(t, func(t *testing.T) {
		lw := &cache.ListWatch{ListWithContextFunc: s.list, WatchFuncWithContext: s.watch}
		informer := NewInformer(clock.RealClock{})(lw, &corev1.Pod{}, 0, cache.Indexers{})
		quiet := func(context.Context, *cache.Reflector, error) {} // the default one compares the time with that outside of the bubble
		if err := informer.SetWatchErrorHandlerWithContext(quiet); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { informer.RunWithContext(ctx) })
		story(func() int { synctest.Wait(); return len(informer.GetStore().ListKeys()) },
			func() bool { synctest.Wait(); return informer.HasSynced() })
		cancel()
		running.Wait()
	})
}

func TestWithoutRightsThereIsNothingToBeSeenUntilTheyCome(t *testing.T) {
	s := &server{err: forbidden()}
	seen(t, s, func(names func() int, synced func() bool) {
		<-time.After(time.Second / 2)
		if !synced() || names() != 0 {
			t.Errorf("synced %t with %d pods; want none, and no wait", synced(), names())
		}
		<-time.After(time.Hour)
		synctest.Wait()
		s.mu.Lock()
		if s.lists > 140 {
			t.Errorf("it was asked %d times in an hour, want every 30 s", s.lists)
		}
		s.mu.Unlock()
		s.set(nil)
		<-time.After(retry.Longest + 10*time.Second)
		if names() != 1 {
			t.Errorf("%d pods are seen once the rights have come, want 1", names())
		}
	})
}

// A watch ends every few minutes. Once the rights have come, the next one goes on where it ended, and nothing is listed anew.
func TestOnceTheRightsHaveComeAWatchFollowsTheLast(t *testing.T) {
	for name, streams := range map[string]bool{"lists are streamed": true, "lists are not streamed": false} {
		t.Run(name, func(t *testing.T) {
			s := &server{streams: streams, err: forbidden()}
			seen(t, s, func(names func() int, _ func() bool) {
				<-time.After(time.Minute)
				s.set(nil)
				<-time.After(retry.Longest + 10*time.Second)
				s.mu.Lock()
				lists, ended := s.lists, s.open
				s.mu.Unlock()
				ended.Stop()
				<-time.After(10 * time.Second)
				s.mu.Lock()
				if s.open == ended || s.lists != lists {
					t.Errorf("10 s after a watch has ended, there is another: %t, after %d more lists; want one after none", s.open != ended, s.lists-lists)
				}
				next := s.open
				s.mu.Unlock()
				next.Add(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "another", ResourceVersion: "2"}})
				if n := names(); n != 2 {
					t.Errorf("%d pods are seen, want 2", n)
				}
			})
		})
	}
}

// Whoever holds the rights is not taken for one without pods when they are taken away: its pods would be created again.
func TestRightsThatAreTakenAwayHideNothing(t *testing.T) {
	s := &server{}
	seen(t, s, func(names func() int, synced func() bool) {
		<-time.After(time.Second)
		if !synced() || names() != 1 {
			t.Fatalf("synced %t with %d pods, want 1", synced(), names())
		}
		lw := patient(cache.ToListerWatcherWithContext(&cache.ListWatch{ListWithContextFunc: s.list, WatchFuncWithContext: s.watch}), clock.RealClock{})
		if _, err := lw.ListWithContextFunc(t.Context(), metav1.ListOptions{}); err != nil {
			t.Fatal(err)
		}
		s.set(forbidden())
		if _, err := lw.ListWithContextFunc(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
			t.Errorf("the list after that ends with %v, want the refusal", err)
		}
	})
}

// That the API server does not answer says nothing of rights: whoever waits for the cache goes on waiting.
func TestAnAPIServerThatIsAwayIsNotEmpty(t *testing.T) {
	s := &server{err: errors.New("connection refused")}
	seen(t, s, func(_ func() int, synced func() bool) {
		<-time.After(time.Minute)
		if synced() {
			t.Error("it is in sync with an API server that does not answer")
		}
		s.set(nil)
		<-time.After(2 * time.Minute)
		if !synced() {
			t.Error("it is not in sync")
		}
	})
}
