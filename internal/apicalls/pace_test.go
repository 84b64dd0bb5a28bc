package apicalls

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/internal/bubbletest"
)

func always(context.Context) bool { return true }

var testPause = Pause{First: 100 * time.Millisecond, Longest: 5 * time.Second}

// answers is an API server that answers each request of a path alike.
type answers struct {
	status map[string]int
	err    error
	lasts  time.Duration // how long a stream does
	asked  map[string]int
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	a.asked[r.URL.Path]++
	if a.err != nil {
		return nil, a.err
	}
	body := io.Reader(strings.NewReader("done"))
	if isWatch(r) {
		body = lasting(a.lasts)
	}
	return &http.Response{StatusCode: a.status[r.URL.Path], Body: io.NopCloser(body)}, nil
}

// lasting is a stream that ends after a time.
type lasting time.Duration

func (l lasting) Read([]byte) (int, error) {
	<-time.After(time.Duration(l))
	return 0, io.EOF
}

// read reads again and again without a pause, as long as that, and how often it may.
func read(t *testing.T, rt http.RoundTripper, url string, during time.Duration, most int) (times int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), during)
	defer cancel()
	for ctx.Err() == nil && times < most {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := rt.RoundTrip(r)
		if ctx.Err() != nil {
			return times
		}
		times++
		if err != nil {
			continue
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
	return times
}

// Whatever a read fails with, and however eager the reader is: it is tried again after a pause that grows.
func TestAReadThatFailsIsPaced(t *testing.T) {
	const path, eager = "http://api/api/v1/pods", 10_000
	// 100 ms, 200 ms, ... 3.2 s are 6.3 s, and then there is one in 5 s.
	const during, paced = 53*time.Second + 500*time.Millisecond, 7 + 9
	for name, c := range map[string]struct {
		server answers
		query  string
		want   int
	}{
		"410 Gone":                     {server: answers{status: map[string]int{"/api/v1/pods": http.StatusGone}}, want: paced},
		"410 Gone of a watch":          {server: answers{status: map[string]int{"/api/v1/pods": http.StatusGone}}, query: "?watch=true", want: paced},
		"500":                          {server: answers{status: map[string]int{"/api/v1/pods": http.StatusInternalServerError}}, want: paced},
		"403":                          {server: answers{status: map[string]int{"/api/v1/pods": http.StatusForbidden}}, want: paced},
		"no answer":                    {server: answers{err: errors.New("connection refused")}, want: paced},
		"a watch that ends at once":    {server: answers{status: map[string]int{"/api/v1/pods": http.StatusOK}}, query: "?watch=1", want: paced},
		"a watch that lasts":           {server: answers{status: map[string]int{"/api/v1/pods": http.StatusOK}, lasts: time.Second}, query: "?watch=1", want: 54},
		"what does not exist is known": {server: answers{status: map[string]int{"/api/v1/pods": http.StatusNotFound}}, want: eager},
		"what succeeds":                {server: answers{status: map[string]int{"/api/v1/pods": http.StatusOK}}, want: eager},
	} {
		t.Run(name, func(t *testing.T) {
			bubbletest.Run(t, func(t *testing.T) {
				c.server.asked = map[string]int{}
				rt := NewPace(testPause, clock.RealClock{}, always).Around(&c.server)
				if got := read(t, rt, path+c.query, during, eager); got != c.want {
					t.Errorf("it was read %d times, want %d", got, c.want)
				}
			})
		})
	}
}

// One read that fails holds back no other, and none once it succeeds again.
func TestThePaceIsThatOfOneRead(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		server := &answers{status: map[string]int{"/a": http.StatusGone, "/b": http.StatusOK}, asked: map[string]int{}}
		pace := NewPace(testPause, clock.RealClock{}, always)
		rt := pace.Around(server)
		read(t, rt, "http://api/a", 10*time.Second, 100)
		if n := read(t, rt, "http://api/b", time.Second, 100); n != 100 {
			t.Errorf("another was read %d times, want 100", n)
		}
		server.status["/a"] = http.StatusOK
		if n := read(t, rt, "http://api/a", testPause.Longest+time.Millisecond, 100); n != 100 {
			t.Errorf("after its last pause it was read %d times, want 100", n)
		}
		if len(pace.failing) > 0 {
			t.Errorf("remembered are %v", pace.failing)
		}
	})
}

// A reader may give up during the pause, and that is no failure. A write is not held back.
func TestWhatThePaceDoesNotHold(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		server := &answers{err: errors.New("connection refused"), asked: map[string]int{}}
		rt := NewPace(testPause, clock.RealClock{}, always).Around(server)
		read(t, rt, "http://api/a", time.Minute, 7)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		for method, want := range map[string]error{http.MethodGet: context.Canceled, http.MethodPost: server.err} {
			r, err := http.NewRequestWithContext(ctx, method, "http://api/a", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			response, err := rt.RoundTrip(r)
			if response != nil {
				_ = response.Body.Close()
			}
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", method, err, want)
			}
		}
		if n := server.asked["/a"]; n != 8 {
			t.Errorf("it was asked %d times, want 7 reads and a write", n)
		}
	})
}

// Reads that failed long ago are forgotten.
func TestThePaceForgets(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		pace := NewPace(testPause, clock.RealClock{}, always)
		rt := pace.Around(&answers{err: errors.New("connection refused"), asked: map[string]int{}})
		for range 2 {
			for i := range mostFailing {
				read(t, rt, "http://api/"+strings.Repeat("x", i), time.Minute, 1)
			}
			<-time.After(2*testPause.Longest + time.Second)
		}
		read(t, rt, "http://api/another", time.Minute, 1)
		if n := len(pace.failing); n != 1 {
			t.Errorf("%d are remembered, want the last", n)
		}
	})
}
