package podconfig

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/internal/bubbletest"
)

// server has the versions of objects, by namespace and name, and notes what is asked and told.
type server struct {
	*testing.T
	*Watcher
	mu             sync.Mutex
	versions       map[string]string
	failure        error
	read, notified []string
}

func startServer(t *testing.T) *server {
	s := &server{T: t, versions: map[string]string{}}
	s.Watcher = New(Options{Clock: clock.RealClock{}, Read: s.answer, Notify: func(n types.NamespacedName) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.notified = append(s.notified, n.String())
	}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *server) answer(_ context.Context, namespace string, object Object, known string) (version, fingerprint string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := namespace + "/" + object.Name
	s.read = append(s.read, name)
	if s.failure != nil {
		return "", "", s.failure
	}
	if version = s.versions[name]; version == known {
		return version, "", nil
	}
	return version, "print of " + version, nil
}

// after lets time go on, and returns what was read and who was notified in it.
func (s *server) after(d time.Duration, change func()) (read, notified []string) {
	s.Helper()
	s.mu.Lock()
	change()
	s.read, s.notified = nil, nil
	s.mu.Unlock()
	<-time.After(d)
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.notified)
	return s.read, s.notified
}

func named(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}

func TestObjectsAreReadWhileSomebodyAsks(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		s := startServer(t)
		objects := []Object{{Secret, "o"}}
		a, b := named("n", "a"), named("n", "b")
		step := func(what string, d time.Duration, change func(), wantRead, wantNotified []string, want State) {
			t.Helper()
			read, notified := s.after(d, change)
			if diff := cmp.Diff([][]string{wantRead, wantNotified}, [][]string{read, notified}); diff != "" {
				t.Errorf("%s: read and notified, -want +got:\n%s", what, diff)
			}
			if got := s.Ask(a, objects)[0]; got != want {
				t.Errorf("%s: %+v is known, want %+v", what, got, want)
			}
		}
		nothing := func() {}
		fail := func(err error) func() { return func() { s.failure = err } }
		s.versions["n/o"] = "1"
		if got := s.Ask(a, objects)[0]; got != (State{}) {
			t.Errorf("%+v is known before anything was read", got)
		}
		s.Ask(b, objects)
		both := []string{"n/a", "n/b"}
		first, second := State{Read: true, Fingerprint: "print of 1"}, State{Read: true, Fingerprint: "print of 2"}
		step("the first read", time.Second, nothing, []string{"n/o"}, both, first)
		step("no change", Interval, nothing, []string{"n/o"}, nil, first)
		step("a change", Interval, func() { s.versions["n/o"] = "2" }, []string{"n/o"}, both, second)
		gone := second
		gone.Err = ErrNotFound
		step("it is gone", Interval, fail(ErrNotFound), []string{"n/o"}, both, gone)
		step("it is still gone", Interval, fail(ErrNotFound), []string{"n/o"}, nil, gone)
		step("it is back", Interval, fail(nil), []string{"n/o"}, both, second)
		s.Forget(b)
		step("one asks no more", Interval, func() { s.versions["n/o"] = "3" }, []string{"n/o"}, []string{"n/a"}, State{Read: true, Fingerprint: "print of 3"})
		s.Forget(a)
		if read, _ := s.after(time.Hour, nothing); len(read) > 0 {
			t.Errorf("%q were read for nobody", read)
		}
		if n := len(s.objects) + len(s.asked); n > 0 {
			t.Errorf("%d are remembered", n)
		}
	})
}

// Another set of objects replaces the former, and what both have is kept.
func TestAnotherSetOfObjects(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		s := startServer(t)
		a, x, y, z := named("n", "a"), Object{Secret, "x"}, Object{ConfigMap, "y"}, Object{Secret, "z"}
		s.Ask(a, []Object{x, y})
		s.after(2*time.Second, func() {})
		states := s.Ask(a, []Object{y, z})
		if !states[0].Read || states[1].Read {
			t.Errorf("%+v are known, want the first alone", states)
		}
		if read, _ := s.after(2*time.Second, func() {}); !slices.Equal(read, []string{"n/z"}) {
			t.Errorf("%q were read, want the new one", read)
		}
	})
}

// A namespace with very many objects is read slowly, and others need not wait for it. All together are read at most 20 times
// a second.
func TestReadsAreBounded(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		s := startServer(t)
		var many []Object
		for n := range 500 {
			many = append(many, Object{ConfigMap, fmt.Sprint("o", n)})
		}
		s.Ask(named("large", "a"), many)
		s.after(10*time.Second, func() {})
		s.Ask(named("small", "a"), many[:1])
		read, _ := s.after(2*time.Second, func() {})
		if !slices.Contains(read, "small/o0") {
			t.Errorf("the small namespace waits; read was %q", read)
		}
		if n := len(read); n > 6 {
			t.Errorf("%d reads in 2 s, want 2 a second of the large namespace", n)
		}
		for n := range 100 {
			s.Ask(named(fmt.Sprint("n", n), "a"), many[:10])
		}
		if read, _ = s.after(10*time.Second, func() {}); len(read) < 150 || len(read) > 201 {
			t.Errorf("%d reads in 10 s, want 20 a second", len(read))
		}
	})
}

// Many namespaces with very many objects, all of which wait, do not have another namespace's object wait for its next read.
func TestOneNamespaceDoesNotWaitForManyLargeOnes(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		s := startServer(t)
		var many []Object
		for n := range 200 {
			many = append(many, Object{ConfigMap, fmt.Sprint("o", n)})
		}
		s.Ask(named("small", "a"), many[:1])
		if read, _ := s.after(time.Second, func() {}); len(read) != 1 {
			t.Fatalf("read was %q, want the one object", read)
		}
		for n := range 12 {
			s.Ask(named(fmt.Sprint("large", n), "a"), many)
		}
		if read, _ := s.after(Interval+time.Second, func() {}); !slices.Contains(read, "small/o0") {
			t.Errorf("the small namespace waits for %d others", len(read))
		}
	})
}
