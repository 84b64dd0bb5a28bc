package fleet

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/internal/planner"
)

// rules gives a container a policy of its own, and rules that come before it.
func (b podBuilder) rules(container string, policy corev1.ContainerRestartPolicy, rules ...corev1.ContainerRestartRule) podBuilder {
	for i := range b.Spec.Containers {
		if c := &b.Spec.Containers[i]; c.Name == container {
			c.RestartPolicy, c.RestartPolicyRules = ptr.To(policy), rules
		}
	}
	return b
}

// on is a rule for exit codes that are, or are not, among the given ones.
func on(operator corev1.ContainerRestartRuleOnExitCodesOperator, action corev1.ContainerRestartRuleAction, codes ...int32) corev1.ContainerRestartRule {
	return corev1.ContainerRestartRule{Action: action, ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: operator, Values: codes}}
}

func (b podBuilder) restartingAll(status corev1.ConditionStatus) podBuilder {
	b.Status.Conditions = append(b.Status.Conditions, corev1.PodCondition{Type: corev1.AllContainersRestarting, Status: status})
	return b
}

// TestRestartRules is which exit of a worker is its end, where rules for its exit codes come before its policy. Each
// pod is looked at as the cache has it.
func TestRestartRules(t *testing.T) {
	const (
		in, notIn  = corev1.ContainerRestartRuleOnExitCodesOpIn, corev1.ContainerRestartRuleOnExitCodesOpNotIn
		again, all = corev1.ContainerRestartRuleActionRestart, corev1.ContainerRestartRuleActionRestartAllContainers
		never      = corev1.ContainerRestartPolicyNever
		onFailure  = corev1.ContainerRestartPolicyOnFailure
		since      = "2026-01-02T03:04:05Z"
	)
	ended := func(code int32) podBuilder {
		return makePod().policy(corev1.RestartPolicyNever).ended(corev1.PodRunning, exited(code, time.Minute))
	}
	nothing := corev1.ContainerState{}
	cases := map[string]struct {
		pod  podBuilder
		want planner.Phase
	}{
		"a code that a rule names is restarted":    {ended(42).rules("worker", never, on(in, again, 41, 42)), planner.Pending},
		"a code that no rule names has its policy": {ended(43).rules("worker", never, on(in, again, 41, 42)), planner.Left},
		"a rule without values names none":         {ended(42).rules("worker", never, on(in, again)), planner.Left},
		"every code but those that the rule names": {ended(1).rules("worker", never, on(notIn, again, 0)), planner.Pending},
		"and not those":       {ended(0).rules("worker", never, on(notIn, again, 0)), planner.Left},
		"also an exit with 0": {ended(0).rules("worker", onFailure, on(in, again, 0)), planner.Pending},
		"with a grant it is a departure all the same":               {ended(0).rules("worker", onFailure, on(in, again, 0)).granted(since + ",0"), planner.Left},
		"the second rule counts where the first does not meet":      {ended(7).rules("worker", never, on(in, again, 6), on(in, again, 7)), planner.Pending},
		"a rule without a condition meets nothing":                  {ended(7).rules("worker", never, corev1.ContainerRestartRule{Action: again}), planner.Left},
		"a rule with an operator that is not known meets nothing":   {ended(7).rules("worker", never, on("Near", again, 7)), planner.Left},
		"the worker's own rule restarts all":                        {ended(9).rules("worker", never, on(in, all, 9)), planner.Pending},
		"the sidecar's rules are not the worker's":                  {ended(42).rules("proxy", never, on(in, again, 42)), planner.Left},
		"a sidecar that ended restarts all":                         {ended(137).rules("worker", never).rules("proxy", never, on(in, all, 5)).container("proxy", exited(5, 0), nothing, 0), planner.Pending},
		"a sidecar that ended otherwise does not":                   {ended(137).rules("worker", never).rules("proxy", never, on(in, all, 5)).container("proxy", exited(6, 0), nothing, 0), planner.Left},
		"a sidecar that restarts itself alone does not":             {ended(137).rules("worker", never).rules("proxy", never, on(in, again, 5)).container("proxy", exited(5, 0), nothing, 0), planner.Left},
		"the kubelet says that it restarts all":                     {ended(137).rules("worker", never).restartingAll(corev1.ConditionTrue), planner.Pending},
		"the kubelet says that it does so no more":                  {ended(137).rules("worker", never).restartingAll(corev1.ConditionFalse), planner.Left},
		"the pod's phase is the kubelet's last word on all of them": {makePod().ended(corev1.PodFailed, exited(42, time.Minute)).rules("worker", never, on(in, again, 42)), planner.Left},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := StateOf(slim(c.pod.Pod), "worker").Phase
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("the phase (-want +got):\n%s", diff)
			}
		})
	}
}
