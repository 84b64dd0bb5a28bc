package sizing

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/rightsize"
)

const (
	// annotationUsage has the history of the workers' usage, some hundred bytes. On the QWorker itself: it
	// goes with it, and needs no right that the operator does not have.
	annotationUsage = "quickube.com/usage-history"
	// saveInterval is the time between two writes of the history for the sake of samples alone. Kills and new
	// recommendations are written at once.
	saveInterval = 5 * time.Minute
)

// restore fills an empty memory from the annotation and the status.
func (r *Round) restore(ctx context.Context) {
	if r.memory.history != nil {
		return
	}
	qw, now := r.fleet.QWorker, r.fleet.Now
	*r.memory = Memory{
		history: rightsize.NewHistory(), savedAt: now.Add(-spread(qw.UID)),
		refused: map[string]time.Time{}, tooMuch: rightsize.TooMuch{},
	}
	r.memory.restoreRefusal(qw.Status.Conditions, now)
	if text, kept := qw.Annotations[annotationUsage]; kept {
		history, err := rightsize.Decode(text, now)
		if err != nil {
			// What was recommended stands in the status, and new samples come every minute.
			ctrl.LoggerFrom(ctx).Error(err, "The history of the workers' usage begins anew", "annotation", annotationUsage)
			return
		}
		r.memory.history, r.memory.saved = history, text
	}
}

// spread keeps ten thousand QWorkers from being saved in the same second after a start.
func spread(uid types.UID) time.Duration {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(uid))
	return time.Duration(sum.Sum64() % uint64(saveInterval))
}

// saveHistory writes the history: at once where something must not be forgotten, else now and then.
func (r *Round) saveHistory(ctx context.Context, atOnce, learned bool) {
	m, now := r.memory, r.fleet.Now
	m.unsaved = m.unsaved || atOnce // until it is written: a kill that is not written is counted twice
	due := learned && now.Sub(m.savedAt) >= saveInterval
	if !m.unsaved && !due {
		return
	}
	text := m.history.Encode()
	if text == m.saved {
		m.unsaved = false
		return
	}
	qw := r.fleet.QWorker
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": qw.UID, "resourceVersion": qw.ResourceVersion, "annotations": map[string]string{annotationUsage: text},
	}})
	written := &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Namespace: qw.Namespace, Name: qw.Name}}
	if err == nil {
		err = r.sizer.Client.Patch(ctx, written, client.RawPatch(types.MergePatchType, patch))
	}
	if apierrors.IsConflict(err) {
		return // as the status will have, which is then tried again
	}
	if err != nil {
		r.err = client.IgnoreNotFound(err)
		r.recheckAt(now.Add(rightsize.RaiseInterval))
		return
	}
	r.Written = written // the status is still made from what is stored
	m.saved, m.savedAt, m.unsaved = text, now, false
	for i := range r.Recommendations {
		told := &r.Recommendations[i]
		told.Samples = m.history.Usage(told.Name).Samples
	}
}
