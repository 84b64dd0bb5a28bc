package backoff_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/quickube/qscaler/internal/backoff"
)

func TestThePauseDoublesUpToTheLongest(t *testing.T) {
	cases := map[string]struct {
		policy backoff.Policy
		want   []time.Duration // after 0, 1, 2 ... failures
	}{
		"the longest is twice the one before": {
			backoff.Policy{First: time.Second, Longest: 4 * time.Second},
			[]time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second, 4 * time.Second},
		},
		"the longest cuts the doubling short": {
			backoff.Policy{First: time.Second, Longest: 3 * time.Second},
			[]time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second},
		},
		"twice the pause is a hair below the longest": {
			backoff.Policy{First: time.Second, Longest: 2*time.Second + 1},
			[]time.Duration{0, time.Second, 2*time.Second + 1, 2*time.Second + 1},
		},
		"the first is the longest": {
			backoff.Policy{First: time.Second, Longest: time.Second},
			[]time.Duration{0, time.Second, time.Second},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var after, next []time.Duration
			pause := time.Duration(0)
			for n := range c.want {
				after, next = append(after, c.policy.After(n)), append(next, pause)
				pause = c.policy.Next(pause)
			}
			if diff := cmp.Diff(c.want, after); diff != "" {
				t.Errorf("After (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.want, next); diff != "" {
				t.Errorf("Next, one after another (-want +got):\n%s", diff)
			}
		})
	}
}

func TestThePauseNeverOverflows(t *testing.T) {
	p := backoff.Policy{First: time.Second, Longest: math.MaxInt64}
	if got := p.After(1000); got != math.MaxInt64 {
		t.Errorf("after 1000 failures the pause is %s, want the longest", got)
	}
}

func TestAStateKeepsTheLastErrorAndDoublesItsPause(t *testing.T) {
	now := time.Now()
	p := backoff.Policy{First: time.Second, Longest: time.Minute}
	first, second := errors.New("first"), errors.New("second")
	s := backoff.State{}.Failed(now, p, first)
	if !errors.Is(s.Err, first) || !s.Until.Equal(now.Add(time.Second)) {
		t.Errorf("after the first failure: %v until %s", s.Err, s.Until.Sub(now))
	}
	if s = s.Failed(now, p, second); !errors.Is(s.Err, second) || !s.Until.Equal(now.Add(2*time.Second)) {
		t.Errorf("after the second failure: %v until %s", s.Err, s.Until.Sub(now))
	}
}

func TestAttempts(t *testing.T) {
	obsolete, failure := errors.New("obsolete"), errors.New("failure")
	clk := clocktesting.NewFakePassiveClock(time.Now())
	attempts := backoff.NewAttempts[string](func(err error) (backoff.Policy, bool) {
		return backoff.Policy{First: time.Second, Longest: time.Minute}, !errors.Is(err, obsolete)
	})
	made := 0
	for i, step := range []struct {
		after    time.Duration // since the step before
		result   error         // of the attempt, where one is made
		want     error
		wantMade int
		wantLen  int
	}{
		{0, failure, failure, 1, 1},
		{time.Second - 1, nil, failure, 1, 1}, // held back: it fails as it did
		{1, failure, failure, 2, 1},           // exactly when its time has come
		{2*time.Second - 1, nil, failure, 2, 1},
		{1, obsolete, obsolete, 3, 0},
		{0, failure, failure, 4, 1}, // another thing now, with the first pause
		{time.Second, nil, nil, 5, 0},
		{0, nil, nil, 6, 0},
	} {
		clk.SetTime(clk.Now().Add(step.after))
		got := attempts.Attempt(clk, "a", func() error { made++; return step.result })
		if !errors.Is(got, step.want) || made != step.wantMade || attempts.Len() != step.wantLen {
			t.Errorf("step %d: %v, %d made, %d remembered; want %v, %d, %d", i, got, made, attempts.Len(), step.want, step.wantMade, step.wantLen)
		}
	}
}

func TestAttemptsOfDifferentKeysAreApart(t *testing.T) {
	failure := errors.New("failure")
	clk := clocktesting.NewFakePassiveClock(time.Now())
	attempts := backoff.NewAttempts[string](func(error) (backoff.Policy, bool) {
		return backoff.Policy{First: time.Second, Longest: time.Minute}, true
	})
	for _, key := range []string{"a", "b", "c"} {
		_ = attempts.Attempt(clk, key, func() error { return failure })
	}
	attempts.Forget(func(key string) bool { return key != "b" })
	if at, never := attempts.RetryAt("b"), attempts.RetryAt("a"); !at.Equal(clk.Now().Add(time.Second)) || !never.IsZero() {
		t.Errorf("b is tried again at %v, and a, which is forgotten, at %v; want in a second, and never", at, never)
	}
	tried := map[string]bool{}
	for _, key := range []string{"a", "b", "c"} {
		_ = attempts.Attempt(clk, key, func() error { tried[key] = true; return nil })
	}
	if diff := cmp.Diff(map[string]bool{"a": true, "c": true}, tried); diff != "" {
		t.Errorf("tried again at once (-want +got):\n%s", diff)
	}
	if attempts.Len() != 1 {
		t.Errorf("%d failures are remembered, want that of b", attempts.Len())
	}
}
