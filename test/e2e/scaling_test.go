package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/local/exampleworkers"
)

// tasks are n tasks of one length.
func tasks(n int, length time.Duration) []time.Duration {
	return slices.Repeat([]time.Duration{length}, n)
}

// A burst becomes workers. When the short tasks are done, exactly the idle workers leave while the long tasks go on.
// In the end the fleet is back at its minimum.
func TestABurstBecomesWorkersAndTheyLeaveAgain(t *testing.T) {
	t.Parallel()
	s := tell(t)
	s.create(s.scalerConfig(), makeFleet("burst").replicas(1, 6))
	s.awaitWorkers("burst", 1)

	const long = 20 * time.Second // all others are done and gone before
	s.push(tasks(2, long)...)
	s.push(tasks(20, 200*time.Millisecond)...)
	s.awaitWorkers("burst", 6)

	s.awaitWorkers("burst", 2)
	if busy := s.busy("burst"); len(busy) != 2 {
		t.Errorf("two workers are left and %d of them are at the long tasks", len(busy))
	}
	granted := s.census.everGranted("burst")
	if len(granted) != 4 {
		t.Errorf("%d workers had a grant when exactly 4 were too many: %v", len(granted), names(granted))
	}
	for _, pod := range granted {
		if at, reason := s.census.grantedAt(pod.Name); reason != "ScaleDown" || s.books.BusyAt(pod.Name, at) {
			t.Errorf("%s had a grant (%s) in the middle of a task, and others were idle", pod.Name, reason)
		}
	}

	s.awaitDone()
	s.awaitWorkers("burst", 1)
	if granted := s.census.everGranted("burst"); len(granted) != 5 {
		t.Errorf("%d workers had a grant in all, want 5", len(granted))
	}
	s.sound()
}

// The example workers without the SDK come and leave in every language.
func TestExampleWorkersInEveryLanguage(t *testing.T) {
	t.Parallel()
	for name, image := range map[string]string{
		"go": exampleworkers.Go, "python": exampleworkers.Python, "shell": exampleworkers.Shell,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := tell(t)
			s.create(s.scalerConfig(), makeFleet(name).replicas(0, 4).image(image))
			for range 2 {
				s.push(tasks(8, 400*time.Millisecond)...)
				s.awaitWorkers(name, 4)
				s.awaitDone()
				s.awaitWorkers(name, 0)
			}
			if b := s.sound(); len(b.Again) > 0 {
				t.Errorf("nobody was killed, and tasks were done twice: %s", b)
			}
		})
	}
}

// Load goes up and down many times: workers that leave are replaced, and no task is interrupted.
func TestLoadGoesUpAndDownManyTimes(t *testing.T) {
	t.Parallel()
	s := tell(t)
	f := makeFleet("tides").replicas(0, 8)
	f.Spec.ScaleConfig.ScaleDownDelay.Duration = 0
	s.create(s.scalerConfig(), f)
	for round := range 12 {
		s.push(tasks(4+round%3*4, time.Duration(50+round*37%300)*time.Millisecond)...)
		s.await("most of the tide to be done", func() string {
			s.refresh()
			if open := s.books.Open(); len(open) > round%3 {
				return fmt.Sprintf("%d are open", len(open))
			}
			return ""
		})
	}
	s.awaitDone()
	s.awaitWorkers("tides", 0)
	if b := s.sound(); len(b.Again) > 0 {
		t.Errorf("nobody was killed, and tasks were done twice: %s", b)
	}
}

// Busy workers get no grant for 30 s when the fleet only shrinks. When demand comes back, grants are withdrawn before
// pods are created.
func TestDemandThatReturnsWithdrawsGrants(t *testing.T) {
	t.Parallel()
	s := tell(t)
	s.create(s.scalerConfig(), makeFleet("return").replicas(0, 4))
	const long = 80 * time.Second // what comes below happens meanwhile
	s.makeBusy("return", 4, long)
	before := s.census.present("return")
	setMost := func(most int32) func(*v1alpha1.QWorkerSpec) {
		return func(spec *v1alpha1.QWorkerSpec) { spec.ScaleConfig.MaxReplicas = most }
	}

	shrunk := time.Now()
	s.change("return", setMost(2))
	s.awaitLeave("return", 2)
	if spared := time.Since(shrunk); spared < 30*time.Second {
		t.Errorf("busy workers got a grant after %s, and an idle one might have turned up within 30 s", spared)
	}
	// The tasks of leaving workers ask for no worker; two new tasks do.
	s.change("return", setMost(4))
	s.push(tasks(2, 200*time.Millisecond)...)
	s.awaitLeave("return", 0)
	if after := s.census.present("return"); !slices.Equal(names(before), names(after)) {
		t.Errorf("the workers were %v and are %v; grants are withdrawn before pods are created", names(before), names(after))
	}
	s.awaitDone()
	s.awaitWorkers("return", 0)
	s.sound()
}

// awaitLeave waits until that many workers of a fleet have a grant and are still there.
func (s *story) awaitLeave(fleet string, want int) {
	s.Helper()
	s.await(fmt.Sprintf("%d workers of %s with a grant", want, fleet), func() string {
		with := slices.DeleteFunc(s.census.present(fleet), func(pod corev1.Pod) bool { return !hasLeave(pod) })
		if len(with) != want {
			return fmt.Sprintf("there are %d", len(with))
		}
		return ""
	})
}
