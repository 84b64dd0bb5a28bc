package apicalls

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// Hearing knows since when the API server answers reads of pods without a failure. While it does not, nobody hears of what
// becomes of a pod, and the kubelets may be unable to tell.
type Hearing struct {
	clock clock.PassiveClock

	mu     sync.Mutex
	failed bool
	since  time.Time
}

// NewHearing returns a Hearing to which nothing has failed yet.
func NewHearing(clk clock.PassiveClock) *Hearing { return &Hearing{clock: clk} }

// Since is since when no read of pods has failed: zero where none ever has, and now while the last one did.
func (h *Hearing) Since() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failed {
		return h.clock.Now()
	}
	return h.since
}

// Around listens to the reads of pods of a client.
func (h *Hearing) Around(next http.RoundTripper) http.RoundTripper {
	return RoundTripperFunc(func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if r.Method != http.MethodGet || !isOfPods(r.URL.Path) {
			return response, err
		}
		h.note(r.Context(), err != nil || isFailure(response.StatusCode))
		if err == nil && isWatch(r) {
			response.Body = &heard{response.Body, func() { h.note(r.Context(), true) }}
		}
		return response, err
	})
}

// isOfPods reports whether a path is that of a pod or of a list of them. There are others with their names, as of what they
// use.
func isOfPods(path string) bool {
	_, rest, core := strings.Cut(path, "/api/v1/")
	if namespaced, ok := strings.CutPrefix(rest, "namespaces/"); ok {
		_, rest, _ = strings.Cut(namespaced, "/")
	}
	return core && (rest == "pods" || strings.HasPrefix(rest, "pods/"))
}

// isFailure reports whether an answer says nothing of the pods. That they may not be read, or that there is none, is what
// the API server knows.
func isFailure(status int) bool {
	return status >= http.StatusBadRequest && status != http.StatusForbidden && status != http.StatusNotFound
}

// note takes in how a read ended. One that the reader has given up says nothing.
func (h *Hearing) note(ctx context.Context, failed bool) {
	if errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failed && !failed {
		h.since = h.clock.Now()
	}
	h.failed = failed
}

// heard is the stream of a watch. One that ends well is begun anew, and one that breaks is not.
type heard struct {
	io.ReadCloser

	breaks func()
}

// Read is io.Reader's.
func (h *heard) Read(into []byte) (int, error) {
	n, err := h.ReadCloser.Read(into)
	if err != nil && !errors.Is(err, io.EOF) {
		h.breaks()
	}
	return n, err
}
