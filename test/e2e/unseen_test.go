package e2e

import (
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// unseenWorker takes its tasks off the queue as many programs do, so that Redis has none in flight, and ends at once when
// it is told by SIGTERM: what it is at is gone.
const unseenWorker = `
trap 'exit 0' TERM
redis() { redis-cli -h "${QSCALER_BROKER_ADDRESS%:*}" -p "${QSCALER_BROKER_ADDRESS##*:}" "$@"; }
tell() { printf '%s %s %s\n' "$(date +%s%3N)" "$1" "$2"; }
while :; do
  task=$(redis RPOP "$QSCALER_QUEUE")
  if [ -z "$task" ]; then sleep 0.1; continue; fi
  id=${task#*'"id":"'} id=${id%%'"'*}
  tell started "$id"
  i=0; while [ $i -lt 20 ]; do sleep 0.1; i=$((i+1)); done
  tell 'done' "$id"
done
`

// A fleet whose tasks nobody sees looks as if it had nothing to do once its queue is empty. Nobody is told to end: every
// task is done, and by four workers.
func TestTasksThatNobodySeesAreNotInterrupted(t *testing.T) {
	t.Parallel()
	s := tell(t)
	f := makeFleet("unseen").replicas(0, 4).readyAfter(0)
	worker := &f.Spec.PodSpec.Containers[0]
	worker.Image, worker.Command = "shell", []string{"sh", "-c", unseenWorker}
	worker.Env = []corev1.EnvVar{{Name: "PATH", Value: os.Getenv("PATH")}}
	f.Spec.Drain = &v1alpha1.DrainSpec{Mode: v1alpha1.DrainSignal, MaxTaskDuration: &metav1.Duration{Duration: time.Second}}
	s.create(s.scalerConfig(), f)
	s.push(tasks(12, 2*time.Second)...)
	s.awaitCondition("unseen", v1alpha1.ConditionTasksSeen, metav1.ConditionFalse, "TasksMayBeHidden")
	s.awaitDone()
	if b := s.sound(); len(b.Again) > 0 {
		t.Errorf("nobody was told to end, and tasks were done twice: %s", b)
	}
	if pods := s.census.present("unseen"); len(pods) != 4 {
		t.Errorf("there are %d workers, want the four that were created", len(pods))
	}
	for _, e := range s.events(t.Context()) {
		if e.Reason == "SignalLeave" || e.Reason == "DeleteNotRunning" {
			t.Errorf("somebody was told to end: %s", e.Note)
		}
	}
}
