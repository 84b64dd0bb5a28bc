package report

import (
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// Shows reports whether a status has these figures of the queue.
func Shows(shown *v1alpha1.QueueStatus, waiting int64, inFlight *int64) bool {
	return shown != nil && shown.Waiting == waiting && ptr.Equal(shown.InFlight, inFlight)
}

// fillQueue shows the reading: with whatever else is written, and for its own sake not too often.
func (t *Told) fillQueue(now time.Time, written *v1alpha1.QWorkerStatus, q Queue) {
	if !q.Known {
		return
	}
	shown := t.Status.Queue
	if Shows(shown, q.Waiting, q.InFlight) {
		return
	}
	due := shown == nil || now.Sub(t.Memory.QueueWritten) >= q.WriteEvery
	if !due && equality.Semantic.DeepEqual(*written, t.Status) {
		return
	}
	t.Status.Queue = &v1alpha1.QueueStatus{
		Waiting: q.Waiting, InFlight: q.InFlight, ReadTime: metav1.NewTime(q.ReadAt.Truncate(timeUnit)),
	}
	t.Memory.QueueWritten = now
}
