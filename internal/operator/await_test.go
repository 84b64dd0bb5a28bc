package operator

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/go-logr/logr/testr"
	"k8s.io/client-go/rest"
)

// An operator that starts while the API server does waits for it.
func TestTheAPIServerIsAwaited(t *testing.T) {
	for name, first := range map[string]int{
		"it is not ready yet":             http.StatusInternalServerError,
		"it is too busy":                  http.StatusServiceUnavailable,
		"it has yet to read the accounts": http.StatusUnauthorized,
		"it has yet to read the roles":    http.StatusForbidden,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) <= 4 {
					w.WriteHeader(first)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				answer := `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`
				if r.URL.Path == "/api" {
					answer = `{"kind":"APIVersions","versions":["v1"]}`
				}
				_, _ = io.WriteString(w, answer)
			}))
			defer server.Close()
			if err := awaitAPIServer(t.Context(), &rest.Config{Host: server.URL}, testr.New(t)); err != nil {
				t.Errorf("after %d requests: %v", asked.Load(), err)
			}
			if n := asked.Load(); n < 5 {
				t.Errorf("it was asked %d times, and answered the fifth", n)
			}
		})
	}
}

// Whoever stops the operator does not wait for the API server.
func TestNothingIsAwaitedByAnOperatorThatIsStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		stop()
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer server.Close()
	if err := awaitAPIServer(ctx, &rest.Config{Host: server.URL}, testr.New(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}
