package qworker

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/ownwrites"
	"github.com/quickube/qscaler/internal/revision"
	"github.com/quickube/qscaler/worker/contract"
)

// A worker may end while a round lasts. A reading from before its end, though from after the beginning of that round, does
// not tell what it did.
func TestAnEndCountsFromWhenItIsSeen(t *testing.T) {
	clk := clocktesting.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	began := clk.Now()
	qw := readQWorker(1)
	qw.Spec.Drain = &v1alpha1.DrainSpec{EndsAfterTask: true}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: qw.Namespace, Name: "w-1", UID: "pod", Labels: map[string]string{contract.LabelPodSpecHash: "r1"},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(qw, v1alpha1.GroupVersion.WithKind("QWorker"))},
		},
		Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: qw.Spec.PodSpec.Containers},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{
			Name: "worker", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(began)}},
		}}},
	}
	w := newReadWorld(t, readConfig(), pod)
	c := w.client()
	operator := &Reconciler{
		client: c, clock: clk, qworkers: ownwrites.New[types.UID, *v1alpha1.QWorker](),
		history: revision.NewHistory(c, c, clk), fleets: fleet.New(c, c, clk), resolver: connection.NewResolver(nil, c, c),
		heardSince: func() time.Time { return time.Time{} },
	}
	remembered := newMemory(qw.UID)
	observe := func(r *round) {
		t.Helper()
		w.must(r.observePods(t.Context()))
	}

	first := newRound(operator, qw, remembered)
	observe(first)
	clk.Step(3 * time.Second)
	polled := backlog.Reading{Known: true, ReadAt: clk.Now()}
	clk.Step(time.Second)
	w.must(w.server.Get(t.Context(), client.ObjectKeyFromObject(pod), pod))
	pod.Status.Phase = corev1.PodSucceeded
	pod.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		StartedAt: metav1.NewTime(began), FinishedAt: metav1.NewTime(clk.Now()),
	}}
	w.must(w.server.Status().Update(t.Context(), pod))
	observe(first) // what came of the round

	clk.Step(time.Millisecond)
	second := newRound(operator, qw, remembered)
	observe(second)
	second.seen.reading = polled
	second.seen.judgeEnds(clk.Now())
	if p := &second.seen.states[0]; !p.EndedAtOnce() || !second.seen.ends.undecided(p) {
		t.Errorf("by a reading from before its end: %+v, want a worker of which nothing is decided", p)
	}
	clk.Step(time.Second)
	third := newRound(operator, qw, remembered)
	third.seen.sightings.signs = map[string]signs{"r1": {done: 1}}
	observe(third)
	if p := &third.seen.states[0]; !p.Failure.At.IsZero() {
		t.Errorf("the depth has fallen since, and the worker has failed: %+v", p)
	}
}
