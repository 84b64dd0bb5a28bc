package apicalls

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/internal/bubbletest"
)

// server answers each request after the time that its path asks for, and knows how many were under way at once.
type server struct {
	takes map[string]time.Duration // by namespace

	mu    sync.Mutex
	now   map[string]int
	most  map[string]int
	calls map[string]int
}

func newServer(takes map[string]time.Duration) *server {
	return &server{takes: takes, now: map[string]int{}, most: map[string]int{}, calls: map[string]int{}}
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	namespace := namespaceOf(r.URL.Path)
	s.count(namespace, 1)
	defer s.count(namespace, -1)
	s.mu.Lock()
	takes := s.takes[namespace]
	s.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: http.StatusOK, Body: &streamed{r.Context(), strings.NewReader("done")}}, nil
}

func (s *server) count(namespace string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range []string{namespace, "all"} {
		s.now[of] += n
		s.most[of] = max(s.most[of], s.now[of])
	}
	if n > 0 {
		s.calls[namespace]++
	}
}

// streamed is a body that can be read while its request's context lasts.
type streamed struct {
	ctx context.Context
	io.Reader
}

func (s *streamed) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.Reader.Read(p)
}

func (s *streamed) Close() error { return nil }

// send sends a request, and says what came of it.
func send(t *testing.T, rt http.RoundTripper, method, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := rt.RoundTrip(r)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	words, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d: %s", response.StatusCode, words)
}

func TestEachCallEnds(t *testing.T) {
	const within = 10 * time.Second
	for name, c := range map[string]struct {
		method, url string
		takes       time.Duration
		want        string
	}{
		"a moment before":      {http.MethodPost, "http://api/api/v1/namespaces/a/pods", within - 1, "200: done"},
		"too long":             {http.MethodPost, "http://api/api/v1/namespaces/a/pods", within + 1, "no answer within 10s, context deadline exceeded"},
		"a read, too":          {http.MethodGet, "http://api/api/v1/namespaces/a/pods?watch=false", within + 1, "no answer within 10s, context deadline exceeded"},
		"a watch goes on":      {http.MethodGet, "http://api/api/v1/namespaces/a/pods?watch=true", within + 1, "200: done"},
		"a watch by its digit": {http.MethodGet, "http://api/api/v1/namespaces/a/pods?watch=1", within + 1, "200: done"},
	} {
		t.Run(name, func(t *testing.T) {
			bubbletest.Run(t, func(t *testing.T) {
				s := newServer(map[string]time.Duration{"a": c.takes})
				if diff := cmp.Diff(c.want, send(t, WithDeadline(within)(s), c.method, c.url)); diff != "" {
					t.Errorf("what came of it (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Whoever gives a call up is not told of a deadline.
func TestACallThatIsGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://api/api/v1/namespaces/a/pods", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := WithDeadline(time.Second)(newServer(map[string]time.Duration{"a": time.Hour})).RoundTrip(r)
	if response != nil {
		_ = response.Body.Close()
	}
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "no answer") {
		t.Errorf("the error is %v", err)
	}
}

func TestWritesOfSlowNamespaces(t *testing.T) {
	limits := Limits{Namespace: 3, All: 5, After: time.Second, For: time.Minute, Wait: 20 * time.Second}
	const slow = 9 * time.Second
	for name, c := range map[string]struct {
		takes  map[string]time.Duration
		method string
		path   string
		// first sends one request each, to become known; then so many are sent at once to each namespace.
		first bool
		n     int
		want  map[string]int // the most under way at once
	}{
		"quick ones are not bounded": {
			takes: map[string]time.Duration{"a": limits.After - 1}, method: http.MethodPost, first: true, n: 10,
			want: map[string]int{"a": 10, "all": 10},
		},
		"those of a slow namespace have a part": {
			takes: map[string]time.Duration{"a": slow, "b": time.Millisecond}, method: http.MethodPost, first: true, n: 6,
			want: map[string]int{"a": 3, "b": 6, "all": 9},
		},
		"those of all slow namespaces have a part together": {
			takes: map[string]time.Duration{"a": slow, "b": slow, "c": slow}, method: http.MethodPatch, first: true, n: 3,
			want: map[string]int{"all": 5},
		},
		"reads are not bounded": {
			takes: map[string]time.Duration{"a": slow}, method: http.MethodGet, first: true, n: 10,
			want: map[string]int{"a": 10, "all": 10},
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubbletest.Run(t, func(t *testing.T) {
				s := newServer(c.takes)
				rt := NewLanes(limits, clock.RealClock{}).Around(s)
				url := func(namespace string) string { return "http://api/api/v1/namespaces/" + namespace + "/pods" }
				var wg sync.WaitGroup
				for namespace := range c.takes {
					wg.Go(func() { send(t, rt, c.method, url(namespace)) })
				}
				wg.Wait()
				s.most = map[string]int{}
				for namespace := range c.takes {
					for range c.n {
						wg.Go(func() {
							if got := send(t, rt, c.method, url(namespace)); got != "200: done" {
								t.Errorf("a write of %s: %s", namespace, got)
							}
						})
					}
				}
				wg.Wait()
				if _, each := c.want["a"]; !each {
					for namespace := range c.takes {
						delete(s.most, namespace)
					}
				}
				if diff := cmp.Diff(c.want, s.most); diff != "" {
					t.Errorf("the most under way at once (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A namespace is known to be slow as soon as a write has lasted long enough, and is ordinary again after a while.
func TestWhenANamespaceIsSlow(t *testing.T) {
	limits := Limits{Namespace: 1, All: 5, After: time.Second, For: time.Minute, Wait: time.Hour}
	for name, c := range map[string]struct {
		pause time.Duration // from the first write's begin to the others'
		takes time.Duration // of the first
		want  int
	}{
		"before it lasted long enough":  {pause: time.Second - 1, takes: time.Hour, want: 4},
		"as soon as it has":             {pause: time.Second + 1, takes: 2 * time.Second, want: 1},
		"almost ordinary again":         {pause: time.Second + time.Minute - 10*time.Millisecond, takes: time.Second, want: 1},
		"ordinary again":                {pause: time.Second + time.Minute + 1, takes: time.Second, want: 3},
		"it was over before that bound": {pause: 2 * time.Second, takes: time.Second - 1, want: 3},
	} {
		t.Run(name, func(t *testing.T) {
			bubbletest.Run(t, func(t *testing.T) {
				s := newServer(map[string]time.Duration{"a": c.takes})
				rt := NewLanes(limits, clock.RealClock{}).Around(s)
				const url = "http://api/api/v1/namespaces/a/pods"
				var wg sync.WaitGroup
				wg.Go(func() { send(t, rt, http.MethodPost, url) })
				<-time.After(c.pause)
				s.mu.Lock()
				s.most, s.takes = map[string]int{}, map[string]time.Duration{"a": time.Millisecond}
				s.mu.Unlock()
				for range 3 {
					wg.Go(func() { send(t, rt, http.MethodPost, url) })
				}
				wg.Wait()
				if s.most["a"] != c.want {
					t.Errorf("%d were under way at once, want %d", s.most["a"], c.want)
				}
			})
		})
	}
}

// A write that has no turn in time is refused in a way that says that nothing was written, and one that is given up ends.
func TestAWriteWithoutATurn(t *testing.T) {
	limits := Limits{Namespace: 1, All: 5, After: time.Second, For: time.Minute, Wait: 5 * time.Second}
	bubbletest.Run(t, func(t *testing.T) {
		s := newServer(map[string]time.Duration{"a": 9 * time.Second})
		rt := NewLanes(limits, clock.RealClock{}).Around(s)
		const url = "http://api/api/v1/namespaces/a/pods"
		var wg sync.WaitGroup
		wg.Go(func() { send(t, rt, http.MethodPost, url) })
		<-time.After(limits.After + 1)
		got := send(t, rt, http.MethodPost, url)
		if !strings.HasPrefix(got, "429: ") || !strings.Contains(got, `"reason":"TooManyRequests"`) || !strings.Contains(got, "the writes of the namespace a are slow") {
			t.Errorf("what came of it: %s", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := rt.RoundTrip(r)
		if response != nil {
			_ = response.Body.Close()
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a write that was given up: %v", err)
		}
		wg.Wait()
		if s.calls["a"] != 1 {
			t.Errorf("%d writes were sent, want the one", s.calls["a"])
		}
	})
}
