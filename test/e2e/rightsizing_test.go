package e2e

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/local/exampleworkers"
)

// A worker that leaks is killed at its memory limit and comes back larger, in the same pod. The task in which it was
// killed is done again, and no other.
func TestALeakingWorkerComesBackLarger(t *testing.T) {
	t.Parallel()
	s := tell(t)
	leaking := makeFleet("leaking").replicas(1, 1).image(exampleworkers.Leaking)
	leaking.Spec.ScaleConfig.ActivateVPA = true
	memory := corev1.ResourceList{"memory": resource.MustParse("64Mi")}
	leaking.Spec.PodSpec.Containers[0].Resources = corev1.ResourceRequirements{Requests: memory, Limits: memory}
	s.create(s.scalerConfig(), leaking)
	// One task at a time: with more, a worker that is restarted before the operator has raised it would be killed again.
	s.await("the worker to be killed", func() string {
		pods := s.census.present("leaking")
		if len(pods) == 1 && len(pods[0].Status.ContainerStatuses) == 1 && pods[0].Status.ContainerStatuses[0].RestartCount > 0 {
			return ""
		}
		if s.refresh(); len(s.books.Open()) == 0 {
			s.push(300 * time.Millisecond)
		}
		return fmt.Sprintf("it has done %d tasks", s.doneCount())
	})
	pod := s.awaitLarger("leaking", resource.MustParse("164Mi"))
	worker := pod.Status.ContainerStatuses[0]
	end := worker.LastTerminationState.Terminated
	if end == nil || end.Reason != "OOMKilled" {
		t.Fatalf("the worker has not been killed out of memory: %+v", worker)
	}
	s.books.Killed(pod.Name, end.FinishedAt.Add(-time.Second), end.FinishedAt.Add(time.Second))
	s.push(tasks(5, 300*time.Millisecond)...)
	s.awaitDone()
	if b := s.sound(); len(b.Again) > 1 {
		t.Errorf("one kill made %d tasks be done twice", len(b.Again))
	}
	if again := s.awaitLarger("leaking", resource.MustParse("164Mi")); again.UID != pod.UID || again.Status.ContainerStatuses[0].RestartCount != 1 {
		t.Errorf("the pod has become %s with %d restarts, want the same with 1", again.Name, again.Status.ContainerStatuses[0].RestartCount)
	}
}

// awaitLarger waits until the fleet's one worker runs again, after its first end, with at least that limit of memory.
func (s *story) awaitLarger(fleet string, want resource.Quantity) corev1.Pod {
	s.Helper()
	var found corev1.Pod
	s.await("a larger worker of "+fleet, func() string {
		var pods corev1.PodList
		if err := s.List(s.Context(), &pods, client.InNamespace(s.namespace)); err != nil {
			return err.Error()
		}
		for _, pod := range pods.Items {
			limit := pod.Spec.Containers[0].Resources.Limits.Memory()
			if limit.Cmp(want) >= 0 && len(pod.Status.ContainerStatuses) == 1 && pod.Status.ContainerStatuses[0].State.Running != nil && pod.Status.ContainerStatuses[0].RestartCount > 0 {
				found = pod
				return ""
			}
		}
		return fmt.Sprintf("there are %d, none of that size", len(pods.Items))
	})
	return found
}
