package qworker

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
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

// observeAnswer has a scope learn from an answer of the metrics API.
func observeAnswer(t *testing.T, s *scope, answer map[string]podmetrics.Pod, containers ...string) {
	t.Helper()
	s.usage = podmetrics.New(podmetrics.Options{Clock: clock.RealClock{}, Read: func(context.Context, string) (map[string]podmetrics.Pod, error) {
		return answer, nil
	}})
	s.usage.Ask(s.name())
	ctx, cancel := context.WithCancel(t.Context())
	s.usage.Notify = func(types.NamespacedName) { cancel() } // it was read
	if err := s.usage.Start(ctx); err != nil {
		t.Fatal(err)
	}
	s.observeUsage(s.memory.sizes, containers)
}

func TestStaleSamplesAreNoUsage(t *testing.T) {
	for age, want := range map[time.Duration]int64{0: 1, staleAfter - time.Minute: 1, staleAfter + time.Minute: 0} {
		s := sizedScope(t, sizedPod("p", "64Mi", func(*corev1.Pod) {}))
		observeAnswer(t, s, map[string]podmetrics.Pod{"p": {Time: time.Now().Add(-age), Containers: []podmetrics.Container{{Name: "worker"}}}}, "worker")
		if got := s.memory.sizes.history.Usage("worker").Samples; got != want {
			t.Errorf("%d samples of an age of %s, want %d", got, age, want)
		}
	}
}

// Pods that are new or gone, and containers that nobody asked about, are normal; each container is told of by its name.
func TestUsageIsLearnedByContainer(t *testing.T) {
	use := func(container, cpu, memory string) podmetrics.Container {
		return podmetrics.Container{Name: container, Usage: podmetrics.Usage{CPU: resource.MustParse(cpu), Memory: resource.MustParse(memory)}}
	}
	plain := func(*corev1.Pod) {}
	s := sizedScope(t, sizedPod("both", "64Mi", plain), sizedPod("new", "64Mi", plain), sizedPod("one", "64Mi", plain))
	observeAnswer(t, s, map[string]podmetrics.Pod{
		"both": {Time: time.Now(), Containers: []podmetrics.Container{use("worker", "100m", "1Gi"), use("side", "1m", "10Mi"), use("injected", "4", "4Gi")}},
		"one":  {Time: time.Now(), Containers: []podmetrics.Container{use("worker", "300m", "200Mi")}},
		"gone": {Time: time.Now(), Containers: []podmetrics.Container{use("worker", "8", "8Gi")}},
	}, "worker", "side")
	most := map[string]string{}
	for _, u := range s.status.MaxContainerResourcesUsage {
		most[u.Name] = fmt.Sprint(u.Usage.Cpu(), " ", u.Usage.Memory(), " ", s.memory.sizes.history.Usage(u.Name).Samples)
	}
	if diff := cmp.Diff(map[string]string{"worker": "300m 1Gi 2", "side": "1m 10Mi 1"}, most); diff != "" {
		t.Errorf("the most used and the number of samples, -want +got:\n%s", diff)
	}
}
