package qworker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/rightsize"
)

// resizer notes whom it resizes, and answers with err.
type resizer struct {
	client.Client
	err     error
	mu      sync.Mutex
	resized []string
}

func (r *resizer) SubResource(string) client.SubResourceClient { return subresource{resizer: r} }

// taken is who was resized since the last time.
func (r *resizer) taken() []string {
	taken := slices.Sorted(slices.Values(r.resized))
	r.resized = nil
	return taken
}

type subresource struct {
	client.SubResourceClient
	resizer *resizer
}

func (s subresource) Patch(_ context.Context, pod client.Object, _ client.Patch, _ ...client.SubResourcePatchOption) error {
	s.resizer.mu.Lock()
	defer s.resizer.mu.Unlock()
	s.resizer.resized = append(s.resizer.resized, pod.GetName())
	return s.resizer.err
}

// raisingScope is one whose running pods are to have 128 MiB, by an operator that has just started.
func raisingScope(t *testing.T, answer error, pods ...*corev1.Pod) (*scope, *resizer) {
	t.Helper()
	s, r := sizedScope(t, pods...), &resizer{err: answer}
	s.resizable, s.fleets = fleet.NewResizable(resizes(true)), fleet.New(r, nil, s.clock)
	s.sizes.policy = rightsize.PolicyOf(s.qw)
	s.status.Recommendations = []v1alpha1.ContainerRecommendation{{Name: "worker", Requests: memoryOf("128Mi").Requests, Reason: "Usage"}}
	return s, r
}

// runningPod runs with 64 MiB, and asks for as much as memory says.
func runningPod(name, memory string, conditions ...corev1.PodCondition) *corev1.Pod {
	return sizedPod(name, memory, func(p *corev1.Pod) {
		has := memoryOf("64Mi")
		p.Status.Phase, p.Status.Conditions = corev1.PodRunning, conditions
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "worker", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, Resources: &has}}
	})
}

// A recommendation that is wrong is to be seen before it has reached the whole fleet; who was killed does not wait.
func TestRunningPodsAreRaisedAFewAtATime(t *testing.T) {
	var pods []*corev1.Pod
	for i := range 100 {
		pods = append(pods, runningPod(fmt.Sprintf("p%02d", i), "64Mi"))
	}
	s, api := raisingScope(t, nil, pods...)
	kill := func(i int) {
		pods[i].Status.ContainerStatuses[0].LastTerminationState = corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137, FinishedAt: metav1.NewTime(s.now)},
		}
	}
	kill(99)
	for _, step := range []struct {
		after time.Duration
		kill  int // -1 for nobody
		want  string
	}{
		{0, -1, "p00 p01 p02 p03 p04 p05 p06 p07 p08 p99"},
		{5 * time.Second, -1, ""},
		{time.Second, 50, "p50"},
		{9 * time.Second, -1, ""},
		{time.Second, -1, "p09 p10 p11 p12 p13 p14 p15 p16 p17 p18"},
	} {
		s.now = s.now.Add(step.after)
		if step.kill >= 0 {
			kill(step.kill)
		}
		s.sizes, s.wakes = sizes{policy: s.sizes.policy}, time.Time{}
		s.raiseRunning(t.Context())
		raised := api.taken()
		if diff := cmp.Diff(step.want, strings.Join(raised, " ")); diff != "" {
			t.Errorf("raised after another %s, -want +got:\n%s", step.after, diff)
		}
		if next := s.memory.sizes.raised.Add(rightsize.RaiseInterval); s.wakes.IsZero() || s.wakes.After(next) {
			t.Errorf("looks again at %s, want it by %s", s.wakes, next)
		}
		for _, pod := range pods {
			if slices.Contains(raised, pod.Name) {
				pod.Spec.Containers[0].Resources = memoryOf("128Mi")
			}
		}
	}
}

// Nothing that a person must know of hangs on this process: what the pods and the API server say is told by one that has
// just started.
func TestWhatHoldsARaiseUpIsToldAfterARestart(t *testing.T) {
	pending := func(reason string) corev1.PodCondition {
		return corev1.PodCondition{Type: corev1.PodResizePending, Status: corev1.ConditionTrue, Reason: reason}
	}
	refused := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "p", errors.New("exceeded quota: q"))
	for reason, tc := range map[string]struct {
		pod    *corev1.Pod
		answer error
	}{
		reasonResizeDeferred:   {runningPod("p", "128Mi", pending(corev1.PodReasonDeferred)), nil},
		reasonResizeInfeasible: {runningPod("p", "128Mi", pending(corev1.PodReasonInfeasible)), nil},
		reasonRaising:          {runningPod("p", "128Mi", corev1.PodCondition{Type: corev1.PodResizeInProgress, Status: corev1.ConditionTrue}), nil},
		reasonResizeRefused:    {runningPod("p", "64Mi"), refused},
		reasonSizingFailed:     {runningPod("p", "64Mi"), context.DeadlineExceeded},
	} {
		t.Run(reason, func(t *testing.T) {
			s, _ := raisingScope(t, tc.answer, tc.pod)
			s.raiseRunning(t.Context())
			if c := s.rightSizing(); c.Reason != reason || !strings.Contains(c.Message, " p") {
				t.Errorf("%s: %s, want %s of the pod", c.Reason, c.Message, reason)
			}
		})
	}
}
