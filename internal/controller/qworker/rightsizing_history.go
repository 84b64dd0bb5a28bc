package qworker

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

// sizeMemory is what is remembered of the sizes, from the annotation and the status at first.
func (s *scope) sizeMemory(ctx context.Context) *sizeMemory {
	if s.memory.sizes != nil {
		return s.memory.sizes
	}
	m := &sizeMemory{history: rightsize.NewHistory(), savedAt: s.now.Add(-spread(s.qw.UID)), refused: map[string]time.Time{}, tooMuch: rightsize.TooMuch{}}
	s.memory.sizes = m
	m.recallRefusal(s.status.Conditions, s.now)
	text, kept := s.qw.Annotations[annotationUsage]
	if !kept {
		return m
	}
	history, err := rightsize.Decode(text, s.now)
	if err != nil {
		// What was recommended stands in the status, and new samples come every minute.
		ctrl.LoggerFrom(ctx).Error(err, "The history of the workers' usage begins anew", "annotation", annotationUsage)
		return m
	}
	m.history, m.saved = history, text
	return m
}

// spread keeps ten thousand QWorkers from being saved in the same second after a start.
func spread(uid types.UID) time.Duration {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(uid))
	return time.Duration(sum.Sum32()) % saveInterval
}

// saveHistory writes the history: at once where something must not be lost, else now and then.
func (s *scope) saveHistory(ctx context.Context, m *sizeMemory, atOnce, learned bool) {
	m.unsaved = m.unsaved || atOnce // until it is written: a kill that is lost is counted twice
	due := learned && s.now.Sub(m.savedAt) >= saveInterval
	if !m.unsaved && !due {
		return
	}
	text := m.history.Encode()
	if text == m.saved {
		m.unsaved = false
		return
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": s.qw.UID, "resourceVersion": s.newestVersion(), "annotations": map[string]string{annotationUsage: text},
	}})
	if err != nil {
		s.sizes.err = err
		return
	}
	written := &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Namespace: s.qw.Namespace, Name: s.qw.Name}}
	err = s.client.Patch(ctx, written, client.RawPatch(types.MergePatchType, patch))
	if apierrors.IsConflict(err) {
		return // as the status will have, which is then tried again
	}
	if err != nil {
		s.sizes.err = client.IgnoreNotFound(err)
		s.wakeAt(s.now.Add(rightsize.RaiseInterval))
		return
	}
	s.qw.ResourceVersion = written.ResourceVersion // the status is still made from what is stored
	m.saved, m.savedAt, m.unsaved = text, s.now, false
	for i := range s.status.Recommendations {
		r := &s.status.Recommendations[i]
		r.Samples = m.history.Usage(r.Name).Samples
	}
}
