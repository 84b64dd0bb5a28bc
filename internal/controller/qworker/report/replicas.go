package report

import (
	"slices"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/planner"
)

// countPods fills the numbers of pods. Those that have left are in none.
func countPods(st *v1alpha1.QWorkerStatus, pods []Pod, newest string) {
	st.CurrentReplicas, st.Replicas, st.UpdatedReplicas = 0, 0, 0
	st.ReadyReplicas, st.DrainingReplicas, st.TerminatingReplicas = 0, 0, 0
	for _, p := range pods {
		if p.Phase == planner.Terminating {
			st.TerminatingReplicas++
		}
		if !p.live() {
			continue
		}
		st.Replicas++
		if p.Revision == st.CurrentPodSpecHash {
			st.CurrentReplicas++
		}
		if newest != "" && p.Revision == newest {
			st.UpdatedReplicas++
		}
		if p.Ready {
			st.ReadyReplicas++
		}
		if p.granted() {
			st.DrainingReplicas++
		}
	}
}

// live pods exist and are not on their way out by deletion.
func (p Pod) live() bool { return p.Phase == planner.Pending || p.Phase == planner.Running }

func (p Pod) granted() bool { return p.Grant.Reason != "" }

// serving counts the ready workers that will stay.
func serving(pods []Pod) int32 {
	n := int32(0)
	for _, p := range pods {
		if p.serves() {
			n++
		}
	}
	return n
}

// olderThan lists the live pods of other revisions than the newest, granted ones included.
func olderThan(newest string, pods []Pod) []string {
	var names []string
	for _, p := range pods {
		if p.live() && p.Revision != newest {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return names
}
