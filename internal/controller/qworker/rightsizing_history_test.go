package qworker

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/internal/podmetrics"
)

// patches fails its first patch.
type patches struct {
	client.Client
	n int
}

func (p *patches) Patch(context.Context, client.Object, client.Patch, ...client.PatchOption) error {
	if p.n++; p.n == 1 {
		return errors.New("no")
	}
	return nil
}

// A kill that was counted and could not be saved is saved with the next try, not with the next kill.
func TestAFailedSaveIsTriedAgain(t *testing.T) {
	s, writes := sizedScope(t), &patches{}
	s.client = writes
	for _, atOnce := range []bool{true, false, false} {
		s.saveHistory(t.Context(), s.memory.sizes, atOnce, false)
	}
	if writes.n != 2 {
		t.Errorf("%d writes, want one that failed and one that did not", writes.n)
	}
}

func TestStaleSamplesAreNoUsage(t *testing.T) {
	for age, want := range map[time.Duration]int64{0: 1, staleAfter - time.Minute: 1, staleAfter + time.Minute: 0} {
		s := sizedScope(t, sizedPod("p", "64Mi", func(*corev1.Pod) {}))
		s.usage = podmetrics.New(podmetrics.Options{Clock: clock.RealClock{}, Notify: func(types.NamespacedName) {}, Read: func(context.Context, string) (map[string]podmetrics.Pod, error) {
			return map[string]podmetrics.Pod{"p": {Time: time.Now().Add(-age), Containers: map[string]podmetrics.Usage{"worker": {}}}}, nil
		}})
		s.usage.Ask(s.name())
		ctx, cancel := context.WithCancel(t.Context())
		s.usage.Notify = func(types.NamespacedName) { cancel() } // it was read
		if err := s.usage.Start(ctx); err != nil {
			t.Fatal(err)
		}
		s.observeUsage(s.memory.sizes, []string{"worker"})
		if got := s.memory.sizes.history.Usage("worker").Samples; got != want {
			t.Errorf("%d samples of an age of %s, want %d", got, age, want)
		}
	}
}
