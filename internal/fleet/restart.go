package fleet

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// willRestart reports whether the kubelet restarts a container of the pod that has exited with a code. The rules of the
// container come first, in their order, then its own restart policy, and then the pod's (KEP-5307). The API server
// accepts rules only beside a policy of the container.
func willRestart(pod *corev1.Pod, container string, exitCode int32) bool {
	own := containerOf(pod, container)
	if _, matches := restartRule(own, exitCode); matches {
		return true
	}
	policy := pod.Spec.RestartPolicy
	if own.RestartPolicy != nil {
		policy = corev1.RestartPolicy(*own.RestartPolicy)
	}
	switch policy {
	case corev1.RestartPolicyNever:
		return false
	case corev1.RestartPolicyOnFailure:
		return exitCode != 0
	default:
		return true
	}
}

// restartsAll reports whether the kubelet is restarting all containers of the pod, or is about to, because one of them
// has ended as a rule of it says (KEP-5532). A container that was ended for that is not restarted for its own policy.
func restartsAll(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.AllContainersRestarting && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	for s := range statuses(pod) {
		if s.State.Terminated == nil {
			continue
		}
		rule, matches := restartRule(containerOf(pod, s.Name), s.State.Terminated.ExitCode)
		if matches && rule.Action == corev1.ContainerRestartRuleActionRestartAllContainers {
			return true
		}
	}
	return false
}

// restartRule is the first rule of a container that an exit code meets.
func restartRule(c corev1.Container, exitCode int32) (rule corev1.ContainerRestartRule, matches bool) {
	for _, rule := range c.RestartPolicyRules {
		if rule.ExitCodes == nil {
			continue
		}
		named := slices.Contains(rule.ExitCodes.Values, exitCode)
		switch rule.ExitCodes.Operator {
		case corev1.ContainerRestartRuleOnExitCodesOpIn:
			matches = named
		case corev1.ContainerRestartRuleOnExitCodesOpNotIn:
			matches = !named
		}
		if matches {
			return rule, true
		}
	}
	return corev1.ContainerRestartRule{}, false
}

// containerOf is a container of the pod's spec, the zero one where there is none of that name.
func containerOf(pod *corev1.Pod, name string) corev1.Container {
	for _, list := range [...][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i := range list {
			if list[i].Name == name {
				return list[i]
			}
		}
	}
	return corev1.Container{}
}
