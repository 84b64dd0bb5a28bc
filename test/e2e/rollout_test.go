package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/worker/contract"
)

func release(version string) func(*v1alpha1.QWorkerSpec) {
	return func(spec *v1alpha1.QWorkerSpec) {
		env := slices.DeleteFunc(spec.PodSpec.Containers[0].Env, func(v corev1.EnvVar) bool { return v.Name == "RELEASE" })
		spec.PodSpec.Containers[0].Env = append(env, corev1.EnvVar{Name: "RELEASE", Value: version})
	}
}

// awaitRevision waits until every worker is of a revision other than the given one.
func (s *story) awaitRevision(fleet, old string) {
	s.Helper()
	s.await("every worker to be of the new revision", func() string {
		s.refresh() // who pushes on waits until tasks are done
		pods := s.census.present(fleet)
		for _, pod := range pods {
			if pod.Labels[contract.LabelPodSpecHash] == old {
				return pod.Name + " is not"
			}
		}
		if len(pods) == 0 {
			return "there is none"
		}
		return ""
	})
}

// A change of the spec rolls a fleet under load, again and again, and no task is interrupted.
func TestAChangeOfTheSpecRollsTheFleet(t *testing.T) {
	t.Parallel()
	s := tell(t)
	s.create(s.scalerConfig(), makeFleet("roll").replicas(2, 5).readyAfter(1))
	s.awaitWorkers("roll", 2)
	pushing := s.pushUntilStopped(50*time.Millisecond, 300*time.Millisecond, 2*time.Second)
	defer pushing.stop()
	for version := range 3 {
		s.awaitBusy("roll", 3)
		q, err := s.fleet("roll")
		if err != nil {
			t.Fatal(err)
		}
		s.change("roll", release(fmt.Sprint(version)))
		s.awaitRevision("roll", q.Status.CurrentPodSpecHash)
	}
	pushing.stop()
	s.awaitDone()
	s.awaitWorkers("roll", 2)
	s.awaitCondition("roll", v1alpha1.ConditionProgressing, metav1.ConditionTrue, "RevisionAvailable")
	if b := s.sound(); len(b.Again) > 0 {
		t.Errorf("nobody was killed, and tasks were done twice: %s", b)
	}
}

// An image that cannot run does not empty the fleet: it works on, and scales, on the old revision. The rollout goes
// on when the spec is corrected.
func TestABrokenImageDoesNotEmptyTheFleet(t *testing.T) {
	t.Parallel()
	s := tell(t)
	f := makeFleet("broken").replicas(2, 4)
	good := f.Spec.PodSpec.Containers[0].Image
	s.create(s.scalerConfig(), f)
	s.awaitWorkers("broken", 2)
	s.awaitCondition("broken", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
	before, err := s.fleet("broken")
	if err != nil {
		t.Fatal(err)
	}
	setImage := func(image string) func(*v1alpha1.QWorkerSpec) {
		return func(spec *v1alpha1.QWorkerSpec) { spec.PodSpec.Containers[0].Image = image }
	}

	s.change("broken", setImage("no-such-image:1"))
	s.awaitCondition("broken", v1alpha1.ConditionProgressing, metav1.ConditionFalse, "CanaryFailing")
	s.makeBusy("broken", 4, 4*time.Second)
	s.awaitDone()
	now, err := s.fleet("broken")
	if err != nil {
		t.Fatal(err)
	}
	if now.Status.CurrentPodSpecHash != before.Status.CurrentPodSpecHash {
		t.Errorf("the broken revision was published")
	}

	s.change("broken", setImage(good))
	s.awaitCondition("broken", v1alpha1.ConditionProgressing, metav1.ConditionTrue, "RevisionAvailable")
	s.awaitWorkers("broken", 2)
	s.sound()
}
