package node

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/local/process"
)

// container is one container of a pod, over all its runs. It belongs to the pod's runner.
type container struct {
	spec   corev1.Container
	init   bool
	mounts mounts

	process  *process.Process // of the present run
	env      []string         // of the present run, for the commands of probes
	dir      string
	starting bool
	stopping bool // it has been asked to end
	tooLarge bool // it is killed for having used more memory than its limit
	ready    bool
	started  bool
	restarts int32

	waiting    *corev1.ContainerStateWaiting    // why nothing runs
	terminated *corev1.ContainerStateTerminated // how the latest run ended
	previous   *corev1.ContainerStateTerminated // how the one before it ended
	crashes    crashes
	retryAt    time.Time // for what is not a crash: a missing Secret, an image
	cancel     context.CancelFunc
}

// newContainer continues from the status that an earlier node of this name wrote. Its processes have been ended by
// this node.
func newContainer(spec corev1.Container, isInit bool, status *corev1.PodStatus, now time.Time) *container {
	c := &container{spec: spec, init: isInit}
	statuses := status.ContainerStatuses
	if isInit {
		statuses = status.InitContainerStatuses
	}
	i := slices.IndexFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == spec.Name })
	if i < 0 {
		return c
	}
	s := statuses[i]
	c.restarts = s.RestartCount
	switch {
	case s.State.Running != nil:
		c.terminated = &corev1.ContainerStateTerminated{
			ExitCode: 137, Reason: "ContainerStatusUnknown", Message: "the process ended together with its node",
			StartedAt: s.State.Running.StartedAt, FinishedAt: metav1.NewTime(now), ContainerID: s.ContainerID,
		}
		c.previous = s.LastTerminationState.Terminated
	case s.State.Terminated != nil:
		c.terminated, c.previous = s.State.Terminated, s.LastTerminationState.Terminated
	default:
		c.terminated = s.LastTerminationState.Terminated
	}
	return c
}

func (c *container) sidecar() bool {
	return c.init && c.spec.RestartPolicy != nil && *c.spec.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// policy is the container's own restart policy, else the pod's. An init container's Always makes a sidecar.
func (c *container) policy(pod corev1.RestartPolicy) corev1.RestartPolicy {
	if c.spec.RestartPolicy != nil {
		return corev1.RestartPolicy(*c.spec.RestartPolicy)
	}
	if c.init && pod == corev1.RestartPolicyAlways {
		return corev1.RestartPolicyOnFailure // an init container that has succeeded has done its work
	}
	return pod
}

// final reports whether the container has ended and will not be restarted.
func (c *container) final(pod corev1.RestartPolicy) bool {
	return c.process == nil && !c.starting && c.terminated != nil && !restarts(c.policy(pod), c.terminated.ExitCode)
}

func restarts(policy corev1.RestartPolicy, exitCode int32) bool {
	return policy == corev1.RestartPolicyAlways || (policy == corev1.RestartPolicyOnFailure && exitCode != 0)
}

// succeeded reports whether the latest run ended well.
func (c *container) succeeded() bool {
	return c.process == nil && c.terminated != nil && c.terminated.ExitCode == 0
}

// began notes a new run.
func (c *container) began(p *process.Process) {
	if c.terminated != nil {
		c.previous, c.terminated = c.terminated, nil
		c.restarts++
	}
	c.process, c.waiting, c.stopping = p, nil, false
}

// failedToStart notes a run that did not start, as a container runtime reports a program that does not exist.
func (c *container) failedToStart(err error, now time.Time) {
	c.began(nil)
	c.terminated = &corev1.ContainerStateTerminated{
		ExitCode: 128, Reason: "StartError", Message: err.Error(), StartedAt: metav1.NewTime(now), FinishedAt: metav1.NewTime(now),
	}
}

// exited notes the end of the run.
func (c *container) exited() {
	exit := c.process.Exit()
	reason := "Error"
	switch {
	case c.tooLarge:
		reason = "OOMKilled"
	case exit.Code == 0:
		reason = "Completed"
	}
	c.terminated = &corev1.ContainerStateTerminated{
		ExitCode: int32(exit.Code), Reason: reason, ContainerID: c.id(),
		StartedAt: metav1.NewTime(c.process.StartedAt), FinishedAt: metav1.NewTime(exit.At),
	}
	c.stopProbes()
	c.process, c.ready, c.started, c.stopping, c.tooLarge = nil, false, false, false, false
}

// containerIDScheme begins a container's ID.
const containerIDScheme = "process://"

// id tells runs apart, as a container's ID does.
func (c *container) id() string {
	return fmt.Sprintf("%s%d-%d", containerIDScheme, c.process.PID(), c.process.StartedAt.UnixNano())
}

func (c *container) stopProbes() {
	if c.cancel != nil {
		c.cancel()
		c.cancel = nil
	}
}

// kill ends the container at once.
func (c *container) kill() {
	if c.process != nil {
		_ = c.process.SignalGroup(syscall.SIGKILL) // fails only for processes of other users
	}
}

// stopSignal is the signal that asks the container to end.
func (c *container) stopSignal() syscall.Signal {
	if c.spec.Lifecycle != nil && c.spec.Lifecycle.StopSignal != nil {
		if s := unix.SignalNum(string(*c.spec.Lifecycle.StopSignal)); s != 0 {
			return s
		}
	}
	return syscall.SIGTERM
}

// state is the container's state and last state, as a kubelet tells them.
func (c *container) state(initialized bool) (state, last corev1.ContainerState) {
	switch {
	case c.process != nil:
		state.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(c.process.StartedAt)}
		last.Terminated = c.previous
	case c.waiting != nil:
		state.Waiting = c.waiting
		last.Terminated = c.terminated
	case c.terminated != nil:
		state.Terminated = c.terminated
		last.Terminated = c.previous
	default:
		reason := "PodInitializing"
		if initialized || c.init {
			reason = "ContainerCreating"
		}
		state.Waiting = &corev1.ContainerStateWaiting{Reason: reason}
	}
	return state, last
}
