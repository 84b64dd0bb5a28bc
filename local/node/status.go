package node

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// status is the pod's status as a kubelet would report it. What others have written into it stays.
func (r *runner) status() corev1.PodStatus {
	s := r.written.DeepCopy()
	s.ObservedGeneration = r.pod.Generation
	s.HostIP, s.HostIPs = hostIP, []corev1.HostIP{{IP: hostIP}}
	s.PodIP, s.PodIPs = r.ip, []corev1.PodIP{{IP: r.ip}}
	start := metav1.NewTime(r.startTime)
	s.StartTime = &start
	initialized := r.initialized()
	s.InitContainerStatuses, s.ContainerStatuses = nil, nil
	for _, c := range r.containers {
		status := r.containerStatus(c, initialized)
		if c.init {
			s.InitContainerStatuses = append(s.InitContainerStatuses, status)
		} else {
			s.ContainerStatuses = append(s.ContainerStatuses, status)
		}
	}
	s.Phase = r.phase()
	r.setConditions(s, initialized)
	return *s
}

func (r *runner) containerStatus(c *container, initialized bool) corev1.ContainerStatus {
	state, last := c.state(initialized)
	if state.Waiting != nil && r.volumeNote != "" && c.waiting == nil {
		state.Waiting.Message = r.volumeNote
	}
	started := c.started
	status := corev1.ContainerStatus{
		Name: c.spec.Name, Image: c.spec.Image, ImageID: c.spec.Image,
		State: state, LastTerminationState: last,
		Started: &started, Ready: c.ready, RestartCount: c.restarts,
	}
	if c.init && !c.sidecar() {
		status.Ready = c.succeeded()
	}
	if c.process != nil {
		status.ContainerID = c.id()
		// A resize in place takes effect at once: each check reads the memory limit anew, and nothing else limits a
		// process here.
		spec := r.resources(c)
		status.Resources, status.AllocatedResources = &spec, spec.Requests
	} else if c.terminated != nil {
		status.ContainerID = c.terminated.ContainerID
	}
	return status
}

// resources are what the pod's spec gives the container now.
func (r *runner) resources(c *container) corev1.ResourceRequirements {
	list := r.pod.Spec.Containers
	if c.init {
		list = r.pod.Spec.InitContainers
	}
	for i := range list {
		if list[i].Name == c.spec.Name {
			return *list[i].Resources.DeepCopy()
		}
	}
	return corev1.ResourceRequirements{}
}

// phase follows the kubelet: Pending until every container has been started once, then Running until the
// pod is complete and nothing of it runs.
func (r *runner) phase() corev1.PodPhase {
	over := r.pod.DeletionTimestamp != nil || r.complete()
	if over && r.running() == 0 {
		return r.outcome()
	}
	for _, c := range r.containers {
		if !c.init && c.process == nil && c.terminated == nil {
			return corev1.PodPending
		}
	}
	return corev1.PodRunning
}

// outcome is the phase of a pod that has ended: Succeeded only if all of its containers succeeded.
func (r *runner) outcome() corev1.PodPhase {
	ran := false
	for _, c := range r.containers {
		ran = ran || c.terminated != nil
		if c.sidecar() {
			continue
		}
		if c.terminated != nil && c.terminated.ExitCode != 0 || c.terminated == nil && ran {
			return corev1.PodFailed
		}
	}
	if !ran {
		return corev1.PodPending // deleted before it began
	}
	for _, c := range r.containers {
		if !c.init && c.terminated == nil {
			return corev1.PodFailed
		}
	}
	return corev1.PodSucceeded
}

func (r *runner) setConditions(s *corev1.PodStatus, initialized bool) {
	set := func(kind corev1.PodConditionType, ok bool, reason, message string) {
		status := corev1.ConditionTrue
		if !ok {
			status = corev1.ConditionFalse
		} else if kind != corev1.PodInitialized || s.Phase != corev1.PodSucceeded {
			reason, message = "", ""
		}
		setCondition(s, kind, status, reason, message, r.pod.Generation)
	}
	why, message := "ContainersNotReady", "not every container is ready"
	switch s.Phase {
	case corev1.PodSucceeded:
		why, message = "PodCompleted", ""
	case corev1.PodFailed:
		why, message = "PodFailed", ""
	}
	ready := r.ready() && s.Phase == corev1.PodRunning
	set(corev1.PodReadyToStartContainers, r.volumes != nil && s.Phase != corev1.PodSucceeded && s.Phase != corev1.PodFailed, "", "")
	if s.Phase == corev1.PodSucceeded {
		set(corev1.PodInitialized, true, "PodCompleted", "")
	} else {
		set(corev1.PodInitialized, initialized, "ContainersNotInitialized", "not every init container has succeeded")
	}
	gates, missing := r.readinessGates()
	set(corev1.ContainersReady, ready, why, message)
	if ready && !gates {
		why, message = "ReadinessGatesNotReady", "the condition "+missing+" is not true"
	}
	set(corev1.PodReady, ready && gates, why, message)
}

// readinessGates reports whether all gates are open, and else the first that is not. Whoever opens one writes to the
// pod's status.
func (r *runner) readinessGates() (open bool, missing string) {
	for _, gate := range r.pod.Spec.ReadinessGates {
		open := false
		for _, condition := range r.pod.Status.Conditions {
			open = open || condition.Type == gate.ConditionType && condition.Status == corev1.ConditionTrue
		}
		if !open {
			return false, string(gate.ConditionType)
		}
	}
	return true, ""
}

func (r *runner) ready() bool {
	for _, c := range r.containers {
		if (!c.init || c.sidecar()) && !c.ready {
			return false
		}
	}
	return true
}

// setCondition keeps the time of the last transition when the condition's status stays.
func setCondition(s *corev1.PodStatus, kind corev1.PodConditionType, status corev1.ConditionStatus, reason, message string, generation int64) {
	condition := corev1.PodCondition{
		Type: kind, Status: status, Reason: reason, Message: message,
		ObservedGeneration: generation, LastTransitionTime: metav1.Now().Rfc3339Copy(),
	}
	for i := range s.Conditions {
		if s.Conditions[i].Type == kind {
			if s.Conditions[i].Status == status {
				condition.LastTransitionTime = s.Conditions[i].LastTransitionTime
			}
			s.Conditions[i] = condition
			return
		}
	}
	s.Conditions = append(s.Conditions, condition)
}
