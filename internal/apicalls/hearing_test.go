package apicalls

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/internal/bubbletest"
)

// says is an API server that answers the next request so.
type says struct {
	status int
	err    error
	stream error
}

func (s *says) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.err != nil {
		return nil, s.err
	}
	return &http.Response{StatusCode: s.status, Body: io.NopCloser(broken{s.stream}), Request: r}, nil
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

func TestSinceWhenTheAPIServerAnswers(t *testing.T) {
	const list, watch = "http://api/api/v1/pods", "http://api/api/v1/namespaces/a/pods?watch=true"
	refused := errors.New("connection refused")
	for name, c := range map[string]struct {
		url    string
		says   says
		method string
		fails  bool
	}{
		"a list":                                {url: list, says: says{status: http.StatusOK, stream: io.EOF}},
		"no answer":                             {url: list, says: says{err: refused}, fails: true},
		"no answer about one":                   {url: "http://api/k8s/c/api/v1/namespaces/a/pods/p", says: says{err: refused}, fails: true},
		"the store does not answer":             {url: list, says: says{status: http.StatusInternalServerError, stream: io.EOF}, fails: true},
		"410 Gone":                              {url: watch, says: says{status: http.StatusGone, stream: io.EOF}, fails: true},
		"no right":                              {url: list, says: says{status: http.StatusForbidden, stream: io.EOF}},
		"no such pod":                           {url: "http://api/api/v1/namespaces/a/pods/p", says: says{status: http.StatusNotFound, stream: io.EOF}},
		"a watch that ends":                     {url: watch, says: says{status: http.StatusOK, stream: io.EOF}},
		"a watch that breaks":                   {url: watch, says: says{status: http.StatusOK, stream: refused}, fails: true},
		"a write is none of it":                 {url: list, says: says{err: refused}, method: http.MethodPost},
		"what pods use is none of it":           {url: "http://api/apis/metrics.k8s.io/v1beta1/namespaces/a/pods", says: says{err: refused}},
		"nor is a Secret of a namespace pods":   {url: "http://api/api/v1/namespaces/pods/secrets/s", says: says{err: refused}},
		"nor is a kind whose name begins alike": {url: "http://api/api/v1/podtemplates", says: says{err: refused}},
	} {
		t.Run(name, func(t *testing.T) {
			bubbletest.Run(t, func(t *testing.T) {
				h, server := NewHearing(clock.RealClock{}), &says{}
				rt := h.Around(server)
				if !h.Since().IsZero() {
					t.Errorf("at first it answers since %s", h.Since())
				}
				*server = c.says
				send(t, rt, cmp.Or(c.method, http.MethodGet), c.url)
				<-time.After(time.Minute)
				if got := !h.Since().IsZero(); got != c.fails {
					t.Fatalf("it has failed: %t, want %t", got, c.fails)
				}
				if !c.fails {
					return
				}
				if !h.Since().Equal(time.Now()) {
					t.Errorf("while it does not answer, it does since %s, and it is %s", h.Since(), time.Now())
				}
				*server = says{status: http.StatusOK, stream: io.EOF}
				send(t, rt, http.MethodGet, list)
				back := time.Now()
				<-time.After(time.Minute)
				send(t, rt, http.MethodGet, list)
				if !h.Since().Equal(back) {
					t.Errorf("it answers since %s, want %s", h.Since(), back)
				}
			})
		})
	}
}

// A reader that gives up has not heard anything, and that is no failure.
func TestAReaderThatGivesUpIsNoSilence(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://api/api/v1/pods", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	h := NewHearing(clock.RealClock{})
	response, err := h.Around(&says{err: context.Canceled}).RoundTrip(r)
	if response != nil {
		_ = response.Body.Close()
	}
	if !errors.Is(err, context.Canceled) || !h.Since().IsZero() {
		t.Errorf("%v, and it answers since %s", err, h.Since())
	}
}
