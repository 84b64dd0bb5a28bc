package e2e

import (
	"fmt"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/broker/beanstalkd/beanstalkdtest"
)

// oneTaskWorker takes one message, does it, and exits with 0, as the Job of a ScaledJob does. Without a message for 5 s it
// exits, too.
const oneTaskWorker = `
redis() { redis-cli -h "${QSCALER_BROKER_ADDRESS%:*}" -p "${QSCALER_BROKER_ADDRESS##*:}" "$@"; }
tell() { printf '%s %s %s\n' "$(date +%s%3N)" "$1" "$2"; }
mine="{$QSCALER_QUEUE}:processing:$POD_NAME"
task=$(redis BLMOVE "$QSCALER_QUEUE" "$mine" RIGHT LEFT 5)
[ -n "$task" ] || exit 0
id=${task#*'"id":"'} id=${id%%'"'*}
tell started "$id"
sleep 0.5
tell 'done' "$id"
redis LREM "$mine" 1 "$task" >/dev/null
`

// Twenty tasks are done by twenty pods, one each and two at a time, without a backoff. An image that ends at once is held
// back all the same.
func TestOneTaskPerPod(t *testing.T) {
	t.Parallel()
	s := tell(t)
	oneTask := func(name, script string) fleet {
		f := makeFleet(name).replicas(0, 2)
		f.Spec.PodSpec.RestartPolicy = corev1.RestartPolicyNever
		f.Spec.Drain = &v1alpha1.DrainSpec{EndsAfterTask: true}
		f.Spec.ScaleConfig.ScaleDownDelay.Duration = 30 * time.Second
		worker := &f.Spec.PodSpec.Containers[0]
		worker.Image, worker.Command = "shell", []string{"sh", "-c", script}
		worker.Env = []corev1.EnvVar{{Name: "PATH", Value: os.Getenv("PATH")}}
		return f
	}
	ends := oneTask("ends", "exit 0").replicas(1, 1)
	ends.Spec.ScaleConfig.Queue = "another"
	s.create(s.scalerConfig(), oneTask("jobs", oneTaskWorker), ends)
	s.push(tasks(20, 500*time.Millisecond)...)
	began := time.Now()
	s.awaitDone()
	t.Logf("20 tasks, one per pod and two at a time, are done after %s", time.Since(began))
	s.awaitWorkers("jobs", 0)
	if b := s.sound(); len(b.Again) > 0 {
		t.Errorf("tasks were done twice: %s", b)
	}
	for _, e := range s.events(t.Context()) {
		if e.Reason == "BackOff" && e.Regarding.Name == "jobs" {
			t.Errorf("a worker that has done its task counts as failed: %s", e.Note)
		}
	}
	s.awaitCondition("ends", v1alpha1.ConditionReady, "False", "BackOff")
}

// oneJobWorker does one job of a tube in two seconds, and exits with 0.
const oneJobWorker = `
import os, socket, time
host, _, port = os.environ["QSCALER_BROKER_ADDRESS"].rpartition(":")
with socket.create_connection((host, int(port))) as conn:
    wire = conn.makefile("rwb")
    wire.write(b"watch %s\r\nreserve-with-timeout 15\r\n" % os.environ["QSCALER_QUEUE"].encode())
    wire.flush()
    wire.readline()
    words = wire.readline().split()
    if words[0] == b"RESERVED":
        wire.read(int(words[2]) + 2)
        time.sleep(2)
        wire.write(b"delete %s\r\n" % words[1])
        wire.flush()
        wire.readline()
`

// Jobs come faster than two workers do them, one each. Beanstalkd does not show who has a job, and the tube only grows: no
// worker counts as failed all the same.
func TestOneTaskPerPodOnATubeThatGrows(t *testing.T) {
	t.Parallel()
	s := tell(t)
	server := beanstalkdtest.Start(t)
	config := s.scalerConfig()
	config.Spec.Type, config.Spec.Config.Port = v1alpha1.BrokerBeanstalkd, ptr.To(intstr.FromInt(server.Port()))
	f := makeFleet("tube").replicas(0, 2)
	f.Spec.PodSpec.RestartPolicy = corev1.RestartPolicyNever
	f.Spec.Drain = &v1alpha1.DrainSpec{EndsAfterTask: true}
	f.Spec.PodSpec.Containers[0].Image = "shell"
	f.Spec.PodSpec.Containers[0].Command = []string{"python3", "-c", oneJobWorker}
	s.create(config, f)
	producer := server.Client()
	const jobs = 16
	for range jobs {
		producer.Put(queue, "x", 0, time.Minute)
		<-time.After(500 * time.Millisecond)
	}
	s.await("all jobs are done", func() string {
		if ready, reserved := producer.Count(queue, "ready"), producer.Count(queue, "reserved"); ready+reserved > 0 {
			return fmt.Sprintf("%d wait and %d are in flight", ready, reserved)
		}
		return ""
	})
	for _, e := range s.events(t.Context()) {
		if e.Reason == "BackOff" {
			t.Errorf("a worker that has done its job counts as failed: %s", e.Note)
		}
	}
}
