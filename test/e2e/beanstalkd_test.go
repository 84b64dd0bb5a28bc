package e2e

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/broker/beanstalkd/beanstalkdtest"
)

// Jobs of a tube become workers, and the fleet is back at its minimum when the tube is empty. Beanstalkd tells how many
// jobs are in flight, and not who has them: nobody is known to be idle, and still no job is interrupted.
func TestJobsOfATubeBecomeWorkers(t *testing.T) {
	t.Parallel()
	s := tell(t)
	server := beanstalkdtest.Start(t)
	config := s.scalerConfig()
	config.Spec.Type, config.Spec.Config.Port = v1alpha1.BrokerBeanstalkd, ptr.To(intstr.FromInt(server.Port()))
	f := makeFleet("tube").replicas(0, 4)
	worker, err := filepath.Abs("../../examples/worker-beanstalkd/worker.py")
	s.must(err)
	f.Spec.PodSpec.Containers[0].Image = "shell"
	f.Spec.PodSpec.Containers[0].Command = []string{"python3", worker}
	s.create(config, f)
	const short = 12 * time.Second // all workers have started before the first has done its job
	producer := server.Client()
	for i, length := range []time.Duration{40 * time.Second, short, short, short} {
		id := fmt.Sprintf("t-%d", i+1)
		s.books.Pushed(id, time.Now())
		producer.Put(queue, payload(id, length), 0, 10*time.Second)
	}
	s.awaitBusy("tube", 4)
	s.awaitTube("tube", 1)
	s.awaitDone()
	s.awaitTube("tube", 0)
	s.awaitWorkers("tube", 0)
	if granted := s.census.everGranted("tube"); len(granted) != 4 {
		t.Errorf("%d workers had a grant, want all 4: %v", len(granted), names(granted))
	}
	for _, pod := range s.census.everGranted("tube") {
		if _, reason := s.census.grantedAt(pod.Name); reason != "ScaleDown" {
			t.Errorf("%s had a grant for %s", pod.Name, reason)
		}
	}
	if b := s.sound(); len(b.Again) > 0 {
		t.Errorf("nobody was killed, and jobs were done twice: %s", b)
	}
}

// awaitTube waits until the operator has read that no job waits, and so many are in flight.
func (s *story) awaitTube(fleet string, inFlight int64) {
	s.Helper()
	s.await(fmt.Sprintf("%d jobs in flight", inFlight), func() string {
		q, err := s.fleet(fleet)
		if err != nil {
			return err.Error()
		}
		if read := q.Status.Queue; read == nil || read.InFlight == nil || read.Waiting != 0 || *read.InFlight != inFlight {
			return fmt.Sprintf("the status says %+v", read)
		}
		return ""
	})
}
