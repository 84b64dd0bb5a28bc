package report

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/planner"
)

// NoteDepartures remembers that workers of this fleet do leave on a grant. It is called when the pods are first seen:
// those that have left may be removed in the same round.
func (m *Memory) NoteDepartures(pods []planner.Pod, now time.Time) {
	departed := map[string]bool{}
	for _, p := range pods {
		if p.Phase != planner.Left || p.Grant.Reason == "" || !p.Failure.At.IsZero() {
			continue
		}
		if departed[p.Name] = true; !m.Departed[p.Name] {
			m.Departure = now.Truncate(timeUnit)
		}
	}
	m.Departed = departed
}

// fillDeparture shows the last departure that was noted.
func fillDeparture(st *v1alpha1.QWorkerStatus, last time.Time) {
	shown := st.LastDepartureTime
	if !last.IsZero() && (shown == nil || shown.Time.Before(last)) {
		st.LastDepartureTime = ptr.To(metav1.NewTime(last))
	}
}
