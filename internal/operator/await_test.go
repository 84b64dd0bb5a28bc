package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/internal/bubbletest"
)

const served = `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"quickube.com/v1alpha1","resources":[{"name":"qworkers"},{"name":"scalerconfigs"}]}`

// An operator that starts while the API server does waits for it, and for its kinds.
func TestTheAPIServerIsAwaited(t *testing.T) {
	for name, first := range map[string]struct {
		code int
		body string
	}{
		"it is not ready yet":             {http.StatusInternalServerError, ""},
		"it is too busy":                  {http.StatusServiceUnavailable, ""},
		"it has yet to read the accounts": {http.StatusUnauthorized, ""},
		"it has yet to read the roles":    {http.StatusForbidden, ""},
		"there is no such group yet":      {http.StatusNotFound, ""},
		"one of the kinds is missing":     {http.StatusOK, strings.Replace(served, "scalerconfigs", "others", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if asked.Add(1) <= 2 {
					w.WriteHeader(first.code)
					_, _ = io.WriteString(w, first.body)
					return
				}
				_, _ = io.WriteString(w, served)
			}))
			defer server.Close()
			s := newStanding(testr.New(t))
			err := s.until(t.Context(), clock.RealClock{}, "the kinds", func() error { return askForKinds(&rest.Config{Host: server.URL}) })
			if err != nil || asked.Load() != 3 {
				t.Errorf("after %d requests: %v; it answered the third", asked.Load(), err)
			}
			if _, err := s.ready(); err == nil || !strings.Contains(err.Error(), "waiting for the kinds: ") {
				t.Errorf("it is said of its standing: %v", err)
			}
		})
	}
}

// However long it takes, the operator does not end, and asks ever less often.
func TestTheAPIServerIsAwaitedForAsLongAsItTakes(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		began, asked := time.Now(), 0
		err := newStanding(testr.New(t)).until(t.Context(), clock.RealClock{}, "the API server", func() error {
			if asked++; time.Since(began) < time.Hour {
				return errors.New("connection refused")
			}
			return nil
		})
		if err != nil || asked < 360 || asked > 370 {
			t.Errorf("it was asked %d times in an hour (%v), want every 10 s after the first", asked, err)
		}
	})
}

// Whoever stops the operator does not wait for the API server.
func TestNothingIsAwaitedByAnOperatorThatIsStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	err := newStanding(testr.New(t)).until(ctx, clock.RealClock{}, "the API server", func() error {
		stop()
		return errors.New("connection refused")
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if err := Run(ctx, Options{Config: &rest.Config{Host: "127.0.0.1:1"}, Log: testr.New(t), ProbeAddress: "0"}); err != nil {
		t.Errorf("the operator ended with %v", err)
	}
}

// An operator whose options cannot work ends, and says why.
func TestAnOperatorThatCannotWorkEnds(t *testing.T) {
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	address := strings.TrimPrefix(taken.URL, "http://")
	err := Run(t.Context(), Options{Config: &rest.Config{Host: "127.0.0.1:1"}, Log: testr.New(t), ProbeAddress: address})
	if err == nil || !strings.Contains(err.Error(), address) || !isMistake(err) {
		t.Errorf("with a port that is in use it ended with %v", err)
	}
	if !isMistake(fmt.Errorf("setting up, %w", mistake{errors.New("no namespace")})) {
		t.Error("a mistake within another error is none")
	}
	if isMistake(errors.New("leader election lost")) {
		t.Error("that the lease expired is a mistake")
	}
}
