package report

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/controller/words"
)

// Shows reports whether a status has these figures of the queue.
func Shows(shown *v1alpha1.QueueStatus, waiting int64, inFlight *int64) bool {
	return shown != nil && shown.Waiting == waiting && ptr.Equal(shown.InFlight, inFlight)
}

// fillFigures shows the reading, and what follows from it in words: with whatever else is written, and for its own sake
// not too often.
func (t *Told) fillFigures(now time.Time, written *v1alpha1.QWorkerStatus, q Queue, d Decided) {
	kept := t.Status
	kept.Conditions = withWordsOf(written.Conditions, t.Status.Conditions, v1alpha1.ConditionScalingLimited)
	kept.Summary = summaryOf(kept.Conditions, whyOf(kept.Decision))
	if !q.Known {
		t.Status = kept
		return
	}
	fresh := t.Status
	fresh.Decision = &v1alpha1.DecisionStatus{Asked: d.Asked, Why: words.Shortened(d.Why, maxMessage)}
	fresh.Summary = summaryOf(fresh.Conditions, d.Why)
	if !Shows(fresh.Queue, q.Waiting, q.InFlight) {
		fresh.Queue = &v1alpha1.QueueStatus{
			Waiting: q.Waiting, InFlight: q.InFlight, ReadTime: metav1.NewTime(q.ReadAt.Truncate(timeUnit)),
		}
	}
	due := written.Queue == nil || now.Sub(t.Memory.QueueWritten) >= q.WriteEvery
	switch {
	case equality.Semantic.DeepEqual(fresh, kept), !due && equality.Semantic.DeepEqual(*written, kept):
		t.Status = kept
	default:
		t.Status, t.Memory.QueueWritten = fresh, now
	}
}

// withWordsOf are the conditions, one of them with the message that it was written with, where nothing else of it has
// changed.
func withWordsOf(written, conditions []metav1.Condition, kind string) []metav1.Condition {
	was, is := meta.FindStatusCondition(written, kind), meta.FindStatusCondition(conditions, kind)
	if was == nil || is == nil || was.Status != is.Status || was.Reason != is.Reason {
		return conditions
	}
	kept := slices.Clone(conditions)
	meta.FindStatusCondition(kept, kind).Message = was.Message
	return kept
}

// whyOf is why there are to be so many workers, as it was last written.
func whyOf(d *v1alpha1.DecisionStatus) string {
	if d == nil {
		return ""
	}
	return d.Why
}
