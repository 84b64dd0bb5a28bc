package node_test

import (
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/local/node"
	"github.com/quickube/qscaler/worker/contract"
)

func withDrainFile(p *corev1.Pod) {
	p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: contract.DrainVolume, VolumeSource: corev1.VolumeSource{
		DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: []corev1.DownwardAPIVolumeFile{{
			Path:     contract.DrainFileName,
			FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.annotations['" + contract.AnnotationDrain + "']"},
		}}},
	}})
	c := &p.Spec.Containers[0]
	c.Env = append(c.Env, corev1.EnvVar{Name: contract.EnvDrainFile, Value: contract.DrainFile})
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: contract.DrainVolume, MountPath: contract.DrainDirectory, ReadOnly: true})
}

func TestAGrantReachesTheWorker(t *testing.T) {
	w := newWorld(t)
	for path, script := range map[string]string{
		"by the variable": `while [ ! -s "$QSCALER_DRAIN_FILE" ]; do sleep 0.02; done; echo "told $(cat "$QSCALER_DRAIN_FILE")"`,
		"by the path":     `while [ ! -s /etc/qscaler/drain ]; do sleep 0.02; done; echo "told $(cat /etc/qscaler/drain)"`,
	} {
		pod := w.run("echo begun;"+script, withDrainFile)
		w.awaitLog(pod, "begun")
		granted := time.Now()
		w.annotate(pod, contract.AnnotationDrain, "ScaleDown")
		w.awaitLog(pod, "told ScaleDown")
		t.Logf("%s: the worker knew after %s", path, time.Since(granted))
		p := w.awaitPhase(pod, corev1.PodSucceeded)
		if got := worker(p).State.Terminated; got == nil || got.ExitCode != 0 || got.Reason != "Completed" {
			t.Errorf("%s: the worker's state is %+v, want Completed", path, got)
		}
	}
}

func TestPodsAreToldWhatTheyAskFor(t *testing.T) {
	w := newWorld(t)
	_, err := w.api.CoreV1().Secrets(w.namespace).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "s"}, StringData: map[string]string{"key": "secret value", "A": "from secret"},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pod := w.run(`echo "$POD $GREETING $SECRET $P_A $1 $(cat /mnt/secret/key)"; echo "$$(wc -c < /var/run/secrets/kubernetes.io/serviceaccount/token)"; echo end`, func(p *corev1.Pod) {
		c := &p.Spec.Containers[0]
		c.Args = []string{"zero", "$(GREETING)!"}
		c.Env = []corev1.EnvVar{
			{Name: "POD", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
			{Name: "GREETING", Value: "hello-$(POD)"},
			{Name: "SECRET", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: "s"}, Key: "key",
			}}},
		}
		c.EnvFrom = []corev1.EnvFromSource{{Prefix: "P_", SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}}}}
		p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "s"}}}}
		c.VolumeMounts = []corev1.VolumeMount{{Name: "v", MountPath: "/mnt/secret"}}
	})
	w.awaitPhase(pod, corev1.PodSucceeded)
	want := pod.Name + " hello-" + pod.Name + " secret value from secret hello-" + pod.Name + "! secret value\n"
	if got := w.log(pod); !strings.HasPrefix(got, want) || strings.Contains(got, "No such file") {
		t.Errorf("the pod wrote %q, want it to begin with %q", got, want)
	}
}

func TestACrashIsRestartedInPlace(t *testing.T) {
	w := newWorld(t)
	pod := w.run("echo run; exit 3")
	p := w.await(pod, "restarted twice", func(p *corev1.Pod) bool {
		return worker(p).RestartCount >= 2 && worker(p).State.Waiting != nil
	})
	s := worker(p)
	if s.State.Waiting.Reason != "CrashLoopBackOff" || s.LastTerminationState.Terminated == nil ||
		s.LastTerminationState.Terminated.ExitCode != 3 || s.LastTerminationState.Terminated.Reason != "Error" {
		t.Errorf("the worker's status is %+v", s)
	}
	if p.Status.Phase != corev1.PodRunning {
		t.Errorf("the phase is %s, want Running", p.Status.Phase)
	}
}

func TestRestartPolicies(t *testing.T) {
	w := newWorld(t)
	policy := func(policy corev1.RestartPolicy) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Spec.RestartPolicy = policy }
	}
	w.awaitPhase(w.run("exit 1", policy(corev1.RestartPolicyNever)), corev1.PodFailed)
	w.awaitPhase(w.run("exit 0", policy(corev1.RestartPolicyNever)), corev1.PodSucceeded)
	w.await(w.run("exit 0", policy(corev1.RestartPolicyAlways)), "restarted after exit 0", func(p *corev1.Pod) bool {
		return worker(p).RestartCount >= 2 && p.Status.Phase == corev1.PodRunning
	})
}

func TestKillWorker(t *testing.T) {
	w := newWorld(t)
	pod := w.run("echo begun $$; sleep 1000")
	w.await(pod, "ready", ready)
	if err := w.KillWorker(w.namespace, pod.Name); err != nil {
		t.Fatal(err)
	}
	p := w.await(pod, "restarted", func(p *corev1.Pod) bool { return worker(p).RestartCount == 1 && ready(p) })
	if last := worker(p).LastTerminationState.Terminated; last == nil || last.ExitCode != 137 {
		t.Errorf("the last state is %+v, want exit code 137", last)
	}
}

func TestDeletionWaitsForTheTask(t *testing.T) {
	w := newWorld(t)
	pod := w.run(`trap 'echo asked; while [ ! -e go ]; do sleep 0.02; done; echo done; exit 0' TERM; echo begun; while :; do sleep 0.02; done`,
		func(p *corev1.Pod) { p.Finalizers = []string{"test.example/keep"} })
	w.awaitLog(pod, "begun")
	w.delete(pod, 600)
	w.awaitLog(pod, "asked")
	p := w.await(pod, "terminating", func(p *corev1.Pod) bool { return p.DeletionTimestamp != nil })
	if worker(p).State.Running == nil {
		t.Errorf("the worker does not run while it finishes its task: %+v", worker(p))
	}
	release(t, w, pod)
	p = w.awaitPhase(pod, corev1.PodSucceeded)
	if got := worker(p).State.Terminated; got == nil || got.ExitCode != 0 {
		t.Errorf("the worker's state is %+v, want exit code 0", got)
	}
	w.patch(pod, `{"metadata":{"finalizers":null}}`)
	w.awaitGone(pod)
}

// release makes the file that the script waits for, in its working directory.
func release(t *testing.T, w *world, pod *corev1.Pod) {
	t.Helper()
	if err := os.WriteFile(w.options.Dir+"/pods/"+string(pod.UID)+"/root/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheGracePeriodEndsAndCanBeShortened(t *testing.T) {
	w := newWorld(t)
	const stubborn = `trap 'echo asked' TERM; echo begun; while :; do sleep 0.05; done`
	pod := w.run(stubborn)
	w.awaitLog(pod, "begun")
	w.delete(pod, 600)
	w.awaitLog(pod, "asked")
	shortened := time.Now()
	w.delete(pod, 1)
	w.awaitGone(pod)
	if took := time.Since(shortened); took < 500*time.Millisecond || took > 15*time.Second {
		t.Errorf("it was gone %s after the grace period was shortened to 1 s", took)
	}
}

func TestAForceDeletedPodIsKilled(t *testing.T) {
	w := newWorld(t)
	pod := w.run(`trap '' TERM; echo begun; while :; do echo x > alive; sleep 0.02; done`)
	w.awaitLog(pod, "begun")
	w.delete(pod, 0)
	eventually(t, "the pod's directory is removed", func() bool {
		_, err := os.Stat(w.options.Dir + "/pods/" + string(pod.UID))
		return os.IsNotExist(err)
	})
}

func TestAnImageWithoutACommand(t *testing.T) {
	w := newWorld(t, func(o *node.Options) { o.Images = map[string][]string{"mapped": {"sh", "-c", `echo "mapped $0"`}} })
	mapped := w.run("", func(p *corev1.Pod) {
		p.Spec.Containers[0] = corev1.Container{Name: "worker", Image: "mapped", Args: []string{"argument"}}
	})
	w.awaitPhase(mapped, corev1.PodSucceeded)
	if got := w.log(mapped); got != "mapped argument\n" {
		t.Errorf("the mapped image wrote %q", got)
	}
	unknown := w.run("", func(p *corev1.Pod) { p.Spec.Containers[0] = corev1.Container{Name: "worker", Image: "unknown"} })
	p := w.await(unknown, "waiting for its image", func(p *corev1.Pod) bool {
		return worker(p).State.Waiting != nil && worker(p).State.Waiting.Reason == "ImagePullBackOff"
	})
	if p.Status.Phase != corev1.PodPending || !strings.Contains(worker(p).State.Waiting.Message, "command") {
		t.Errorf("phase %s, %+v", p.Status.Phase, worker(p).State.Waiting)
	}
}

func TestInitContainersAndSidecars(t *testing.T) {
	w := newWorld(t)
	pod := w.run(`cat /shared/init; echo main >> /shared/order`, func(p *corev1.Pod) {
		shared := []corev1.VolumeMount{{Name: "shared", MountPath: "/shared"}}
		p.Spec.Volumes = []corev1.Volume{{Name: "shared", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
		sidecar := shell("sidecar", `trap 'exit 0' TERM; echo sidecar >> /shared/order; while :; do sleep 0.02; done`)
		sidecar.RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways)
		p.Spec.InitContainers = []corev1.Container{shell("init", `echo prepared > /shared/init`), sidecar}
		for i := range p.Spec.InitContainers {
			p.Spec.InitContainers[i].VolumeMounts = shared
		}
		p.Spec.Containers[0].VolumeMounts = shared
	})
	p := w.awaitPhase(pod, corev1.PodSucceeded)
	if got := w.log(pod); got != "prepared\n" {
		t.Errorf("the worker read %q", got)
	}
	for _, s := range p.Status.InitContainerStatuses {
		if s.State.Terminated == nil {
			t.Errorf("init container %s has not ended: %+v", s.Name, s.State)
		}
	}
}

func TestReadinessProbe(t *testing.T) {
	w := newWorld(t)
	pod := w.run(`echo begun; sleep 1000`, func(p *corev1.Pod) {
		p.Spec.Containers[0].ReadinessProbe = &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"test", "-e", "go"}}},
			PeriodSeconds: 1,
		}
	})
	w.awaitLog(pod, "begun")
	p := w.awaitPhase(pod, corev1.PodRunning)
	if ready(p) {
		t.Error("ready before its probe says so")
	}
	release(t, w, pod)
	w.await(pod, "ready", ready)
}

func TestAPodThatDoesNotFit(t *testing.T) {
	w := newWorld(t)
	pod := w.run("exit 0", func(p *corev1.Pod) { p.Spec.NodeSelector["disk"] = "none-such" })
	p := w.await(pod, "unschedulable", func(p *corev1.Pod) bool { return len(p.Status.Conditions) > 0 })
	if c := p.Status.Conditions[0]; c.Type != corev1.PodScheduled || c.Status != corev1.ConditionFalse || c.Reason != "Unschedulable" {
		t.Errorf("its condition is %+v", c)
	}
}
