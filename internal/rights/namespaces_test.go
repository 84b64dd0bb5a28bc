package rights

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/internal/bubbletest"
)

// api answers lists by their namespace.
type api struct {
	client.Reader

	mu      sync.Mutex
	refuses map[string]error
	asked   map[string]int
}

func (a *api) List(_ context.Context, _ client.ObjectList, options ...client.ListOption) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	namespace := (&client.ListOptions{}).ApplyOptions(options).Namespace
	a.asked[namespace]++
	return a.refuses[namespace]
}

func (a *api) set(refuses map[string]error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refuses, a.asked = refuses, map[string]int{}
}

func follow(t *testing.T, a *api, namespaces []string, story func(n *Namespaces, refused func() []string)) {
	t.Helper()
	bubbletest.Run(t, func(t *testing.T) {
		n := NewNamespaces(Options{
			Live: a, Kinds: []schema.GroupVersionKind{{Version: "v1", Kind: "Pod"}, {Version: "v1", Kind: "Node"}},
			Namespaces: namespaces, Clock: clock.RealClock{}, Log: testr.New(t),
		})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = n.Start(ctx) })
		story(n, func() []string {
			synctest.Wait()
			names, _ := n.Refused()
			return slices.Sorted(maps.Keys(names))
		})
		cancel()
		running.Wait()
	})
}

func wantNames(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("namespaces without rights (-want +got):\n%s", diff)
	}
}

func TestNamespacesWithoutRightsAreNamedUntilTheRightsCome(t *testing.T) {
	a := &api{}
	a.set(map[string]error{"b": forbidden(), "c": errors.New("the API server is away")})
	follow(t, a, []string{"a", "b", "c"}, func(n *Namespaces, refused func() []string) {
		wantNames(t, refused(), "b")
		if diff := cmp.Diff(map[string]float64{"a": 1, "b": 0}, n.values()); diff != "" {
			t.Errorf("the metric (-want +got):\n%s", diff)
		}
		<-time.After(time.Hour)
		synctest.Wait()
		if asked := a.asked; asked["a"] != 2 || asked["b"] < 120 || asked["b"] > 130 {
			t.Errorf("they were asked %v times in an hour; want a once for each kind, and b every 30 s after the first", asked)
		}
		a.set(nil)
		<-time.After(retry.Longest)
		wantNames(t, refused())
		if diff := cmp.Diff(map[string]float64{"a": 1, "b": 1, "c": 1}, n.values()); diff != "" {
			t.Errorf("the metric (-want +got):\n%s", diff)
		}
	})
}

// Rights that are taken away are noticed by what is refused, and asked for now and then however often that is.
func TestRightsThatAreTakenAwayAreNoticed(t *testing.T) {
	a := &api{}
	a.set(nil)
	follow(t, a, []string{"a"}, func(n *Namespaces, refused func() []string) {
		wantNames(t, refused())
		a.set(nil)
		for range 10 {
			n.Doubt()
			synctest.Wait()
		}
		if a.asked["a"] != 2 {
			t.Errorf("it was asked %d times, want once for each kind", a.asked["a"])
		}
		<-time.After(retry.Longest)
		a.set(map[string]error{"a": forbidden()})
		n.Doubt()
		wantNames(t, refused(), "a")
	})
}

func TestWithoutNamespacesAllAreAskedForTogether(t *testing.T) {
	a := &api{}
	a.set(map[string]error{"": forbidden()})
	follow(t, a, nil, func(n *Namespaces, refused func() []string) {
		wantNames(t, refused(), "*")
		if _, all := n.Refused(); !all {
			t.Error("there is no other, and not all are refused")
		}
	})
}
