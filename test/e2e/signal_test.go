package e2e

import (
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// signalWorker does not read the drain file: it finishes its task on SIGTERM, as Celery, RQ and Dramatiq do. It works
// in steps of a tenth of a second, which a signal cannot interrupt.
const signalWorker = `
trap 'stop=yes' TERM
list="{$QSCALER_QUEUE}:processing:$POD_NAME"
redis() { redis-cli -h "${QSCALER_BROKER_ADDRESS%:*}" -p "${QSCALER_BROKER_ADDRESS##*:}" "$@"; }
tell() { printf '%s %s %s\n' "$(date +%s%3N)" "$1" "$2"; }
while [ -z "$stop" ]; do
  task=$(redis LMOVE "$QSCALER_QUEUE" "$list" RIGHT LEFT)
  if [ -z "$task" ]; then sleep 0.1; continue; fi
  id=${task#*'"id":"'} id=${id%%'"'*}
  tell started "$id"
  i=0; while [ $i -lt 20 ]; do sleep 0.1; i=$((i+1)); done
  tell 'done' "$id"
  redis LREM "$list" 1 "$task" >/dev/null
done
`

// A busy fleet that only knows SIGTERM is rolled out and scaled down, and no task is interrupted.
func TestSignalModeInterruptsNobody(t *testing.T) {
	t.Parallel()
	s := tell(t)
	f := makeFleet("signal").replicas(0, 4).readyAfter(0)
	worker := &f.Spec.PodSpec.Containers[0]
	worker.Image, worker.Command = "shell", []string{"sh", "-c", signalWorker}
	worker.Env = []corev1.EnvVar{{Name: "PATH", Value: os.Getenv("PATH")}}
	f.Spec.Drain = &v1alpha1.DrainSpec{Mode: v1alpha1.DrainSignal, MaxTaskDuration: &metav1.Duration{Duration: time.Minute}}
	s.create(s.scalerConfig(), f)
	s.push(tasks(12, 2*time.Second)...)
	s.awaitBusy("signal", 4)
	q, err := s.fleet("signal")
	if err != nil {
		t.Fatal(err)
	}
	pushing := s.pushUntilStopped(250*time.Millisecond, 2*time.Second, 2*time.Second+1) // there is work until the end of the rollout
	defer pushing.stop()
	s.change("signal", release("2"))
	s.awaitRevision("signal", q.Status.CurrentPodSpecHash)
	pushing.stop()
	// Whoever was never seen at a task is not told to end, and those before may have done all tasks.
	s.push(tasks(4, 2*time.Second)...)
	s.awaitDone()
	s.awaitWorkers("signal", 0)
	if b := s.sound(); len(b.Again) > 0 {
		t.Errorf("nobody was killed, and tasks were done twice: %s", b)
	}
	seen := map[string]bool{}
	for _, e := range s.events(t.Context()) {
		seen[e.Reason] = true
	}
	if !seen["SignalLeave"] || seen["GrantLeave"] || seen["TasksReturned"] {
		t.Errorf("events %v, want workers to be signalled, none to get a grant, and no task to be reclaimed", seen)
	}
}
