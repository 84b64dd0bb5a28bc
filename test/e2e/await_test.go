package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// waitLimit bounds every wait; only a failing story uses it up.
const waitLimit = 4 * time.Minute

// await waits until check returns nothing, and fails the story with its last complaint.
func (s *story) await(what string, check func() (complaint string)) {
	s.Helper()
	complaint := ""
	err := wait.PollUntilContextTimeout(s.Context(), 50*time.Millisecond, waitLimit, true, func(context.Context) (bool, error) {
		complaint = check()
		return complaint == "", nil
	})
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("not within %s", waitLimit)
		}
		s.Fatalf("waiting for %s: %v: %s", what, err, complaint)
	}
}

// awaitWorkers waits until a fleet has that many workers, and none of them has a grant.
func (s *story) awaitWorkers(fleet string, want int) {
	s.Helper()
	s.await(fmt.Sprintf("%d workers of %s", want, fleet), func() string {
		pods := s.census.present(fleet)
		draining := 0
		for _, pod := range pods {
			if hasLeave(pod) {
				draining++
			}
		}
		if len(pods) != want || draining > 0 {
			return fmt.Sprintf("there are %d, %d of them with a grant", len(pods), draining)
		}
		return ""
	})
}

// awaitDone waits until every task that was pushed is done and acknowledged.
func (s *story) awaitDone() {
	s.Helper()
	s.await("every task to be done", func() string {
		s.refresh()
		if open := s.books.Open(); len(open) > 0 {
			return fmt.Sprintf("%d are not: %s", len(open), strings.Join(open, ", "))
		}
		if held := s.held(); len(held) > 0 {
			return "not acknowledged: " + strings.Join(held, ", ")
		}
		return ""
	})
}

// awaitBusy waits until that many workers of a fleet are busy.
func (s *story) awaitBusy(fleet string, want int) {
	s.Helper()
	s.await(fmt.Sprintf("%d busy workers of %s", want, fleet), func() string {
		if n := len(s.busy(fleet)); n < want {
			return fmt.Sprintf("there are %d", n)
		}
		return ""
	})
}

// makeBusy waits until that many workers of a fleet are busy at once. There is a task for each of them all the time: one
// that is done before the last worker has started, as on a busy machine, is followed by another.
func (s *story) makeBusy(fleet string, want int, length time.Duration) {
	s.Helper()
	s.await(fmt.Sprintf("%d busy workers of %s", want, fleet), func() string {
		busy := len(s.busy(fleet))
		if busy >= want {
			return ""
		}
		s.push(tasks(max(want-len(s.books.Open()), 0), length)...)
		return fmt.Sprintf("there are %d", busy)
	})
}

// awaitIdle waits until no worker of a fleet is busy.
func (s *story) awaitIdle(fleet string) {
	s.Helper()
	s.await("no busy worker of "+fleet, func() string {
		if busy := s.busy(fleet); len(busy) > 0 {
			return fmt.Sprintf("%v are busy", busy)
		}
		return ""
	})
}

// busy has the names of the busy workers, by their own logs.
func (s *story) busy(fleet string) []string {
	s.Helper()
	s.refresh()
	var busy []string
	for _, pod := range s.census.present(fleet) {
		if s.books.Doing(pod.Name).Task != "" {
			busy = append(busy, pod.Name)
		}
	}
	return busy
}

// awaitCondition waits for a condition of a QWorker, and returns its message.
func (s *story) awaitCondition(fleet, kind string, status metav1.ConditionStatus, reason string) string {
	s.Helper()
	message := ""
	s.await(fmt.Sprintf("%s=%s (%s) of %s", kind, status, reason, fleet), func() string {
		q, err := s.fleet(fleet)
		if err != nil {
			return err.Error()
		}
		c := meta.FindStatusCondition(q.Status.Conditions, kind)
		if c == nil {
			return "the condition is absent"
		}
		message = c.Message
		if c.Status != status || c.Reason != reason {
			return fmt.Sprintf("it is %s (%s): %s", c.Status, c.Reason, c.Message)
		}
		return ""
	})
	return message
}

func (s *story) fleet(name string) (*v1alpha1.QWorker, error) {
	var q v1alpha1.QWorker
	err := s.Get(s.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, &q)
	return &q, err
}
