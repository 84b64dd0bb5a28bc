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
	kept, same := t.Status, false
	kept.Conditions, same = withWordsOf(written.Conditions, t.Status.Conditions, v1alpha1.ConditionScalingLimited)
	kept.Summary = summaryOf(kept.Conditions, whyOf(kept.Decision))
	decision := v1alpha1.DecisionStatus{Asked: d.Asked, Why: words.Shortened(d.Why, maxMessage)}
	shown := Shows(kept.Queue, q.Waiting, q.InFlight)
	if !q.Known || (shown && same && ptr.Equal(kept.Decision, &decision)) {
		t.Status = kept
		return
	}
	due := written.Queue == nil || now.Sub(t.Memory.QueueWritten) >= q.WriteEvery
	if !due && equality.Semantic.DeepEqual(*written, kept) {
		t.Status = kept
		return
	}
	t.Memory.QueueWritten = now
	t.Status.Decision, t.Status.Summary = &decision, summaryOf(t.Status.Conditions, d.Why)
	if !shown {
		t.Status.Queue = &v1alpha1.QueueStatus{
			Waiting: q.Waiting, InFlight: q.InFlight, ReadTime: metav1.NewTime(q.ReadAt.Truncate(timeUnit)),
		}
	}
}

// withWordsOf are the conditions, one of them with the message that it was written with, where nothing else of it has
// changed. It reports also whether they are the same as before.
func withWordsOf(written, conditions []metav1.Condition, kind string) (kept []metav1.Condition, same bool) {
	was, is := meta.FindStatusCondition(written, kind), meta.FindStatusCondition(conditions, kind)
	if was == nil || is == nil || was.Status != is.Status || was.Reason != is.Reason || was.Message == is.Message {
		return conditions, true
	}
	kept = slices.Clone(conditions)
	meta.FindStatusCondition(kept, kind).Message = was.Message
	return kept, false
}

// whyOf is why there are to be so many workers, as it was last written.
func whyOf(d *v1alpha1.DecisionStatus) string {
	if d == nil {
		return ""
	}
	return d.Why
}
