package operator

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/quickube/qscaler/internal/apicalls"
)

// fakeLock is a lease that answers as it is told, after some time.
type fakeLock struct {
	resourcelock.Interface
	clock *clocktesting.FakeClock
	takes time.Duration
	err   error
}

func (l *fakeLock) Identity() string { return "me" }

func (l *fakeLock) Update(context.Context, resourcelock.LeaderElectionRecord) error {
	l.clock.Step(l.takes)
	return l.err
}

func TestTheFenceIsOpenWhileNobodyElseCanHoldTheLease(t *testing.T) {
	const mine, nobody = "me", ""
	renew := func(holder string, takes time.Duration, err error) func(*testing.T, *fencedLock) {
		return func(t *testing.T, l *fencedLock) {
			inner := l.Interface.(*fakeLock)
			inner.takes, inner.err = takes, err
			if got := l.Update(t.Context(), resourcelock.LeaderElectionRecord{HolderIdentity: holder}); !errors.Is(got, err) {
				t.Errorf("Update = %v, want %v", got, err)
			}
		}
	}
	sleep := func(d time.Duration) func(*testing.T, *fencedLock) {
		return func(_ *testing.T, l *fencedLock) { l.Interface.(*fakeLock).clock.Step(d) }
	}
	refused := errors.New("conflict")
	cases := map[string]struct {
		story []func(*testing.T, *fencedLock)
		want  bool
	}{
		"never a leader":                          {nil, false},
		"just elected":                            {[]func(*testing.T, *fencedLock){renew(mine, 0, nil)}, true},
		"almost the whole lease ago":              {[]func(*testing.T, *fencedLock){renew(mine, 0, nil), sleep(leaseDuration - 1)}, true},
		"slept through it":                        {[]func(*testing.T, *fencedLock){renew(mine, 0, nil), sleep(5 * time.Minute)}, false},
		"renewed again":                           {[]func(*testing.T, *fencedLock){renew(mine, 0, nil), sleep(10 * time.Second), renew(mine, 0, nil), sleep(10 * time.Second)}, true},
		"a renewal that failed counts not":        {[]func(*testing.T, *fencedLock){renew(mine, 0, nil), sleep(10 * time.Second), renew(mine, 0, refused), sleep(10 * time.Second)}, false},
		"the lease runs from the request's start": {[]func(*testing.T, *fencedLock){renew(mine, 10*time.Second, nil), sleep(6 * time.Second)}, false},
		"released":                                {[]func(*testing.T, *fencedLock){renew(mine, 0, nil), renew(nobody, 0, nil)}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			clk := clocktesting.NewFakeClock(time.Now())
			lock := &fencedLock{Interface: &fakeLock{clock: clk}, fence: &fence{clock: clk}}
			for _, step := range c.story {
				step(t, lock)
			}
			if got := lock.fence.open(); got != c.want {
				t.Errorf("open = %t, want %t", got, c.want)
			}
		})
	}
}

func TestTheFenceHoldsBackWritesAlone(t *testing.T) {
	reached := 0
	next := apicalls.RoundTripperFunc(func(*http.Request) (*http.Response, error) { reached++; return &http.Response{}, nil })
	clk := clocktesting.NewFakeClock(time.Now())
	f := &fence{clock: clk}
	send := func(method string) error {
		request, err := http.NewRequestWithContext(t.Context(), method, "http://api/pods", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := f.around(next).RoundTrip(request)
		if response != nil && response.Body != nil {
			_ = response.Body.Close()
		}
		return err
	}
	f.renew(clk.Now())
	clk.Step(5 * time.Minute)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if err := send(method); !errors.Is(err, errFenced) {
			t.Errorf("%s: %v, want %v", method, err, errFenced)
		}
	}
	if err := send(http.MethodGet); err != nil || reached != 1 {
		t.Errorf("GET: %v, %d requests passed, want it alone", err, reached)
	}
}
