package qworker

import (
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// OperatorPrefix is what the names begin with under which operators write. Replicas of one operator have one name.
const OperatorPrefix = "qscaler-"

// Strip is the cache's transform of a QWorker. Of its managed fields it leaves which operators have written the status,
// and when each last did.
func Strip(object any) (any, error) {
	if qw, ok := object.(*v1alpha1.QWorker); ok {
		keepWriters(qw)
	}
	return object, nil
}

func keepWriters(qw *v1alpha1.QWorker) {
	var kept []metav1.ManagedFieldsEntry
	for _, e := range qw.ManagedFields {
		if e.Subresource == "status" && strings.HasPrefix(e.Manager, OperatorPrefix) {
			kept = append(kept, metav1.ManagedFieldsEntry{Manager: e.Manager, Operation: e.Operation, Time: e.Time, Subresource: e.Subresource})
		}
	}
	qw.ManagedFields = kept
}

// contestedFor is how long another operator's write is remembered.
const contestedFor = 10 * time.Minute

// writers are the other operators that have written a QWorker's status. An operator that was there before this process,
// and writes no more, is none that acts beside it.
type writers struct {
	// written is when each last wrote, by the API server's clock, as far as this process has seen; nil before the first look.
	written map[string]string
	// noticed is when this process saw a new write of each.
	noticed map[string]time.Time
}

// note looks at who has written, and returns the operators that act on the QWorker at once, this one included; none where
// it is alone.
func (w *writers) note(own string, qw *v1alpha1.QWorker, now time.Time) []string {
	first := w.written == nil
	if first {
		w.written, w.noticed = map[string]string{}, map[string]time.Time{}
	}
	for _, e := range qw.ManagedFields {
		at := e.Time.UTC().String()
		if e.Manager == own || w.written[e.Manager] == at {
			continue
		}
		w.written[e.Manager] = at
		if !first {
			w.noticed[e.Manager] = now
		}
	}
	maps.DeleteFunc(w.noticed, func(_ string, at time.Time) bool { return now.Sub(at) >= contestedFor })
	if len(w.noticed) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(withOwn(w.noticed, own)))
}

func withOwn(noticed map[string]time.Time, own string) map[string]time.Time {
	all := maps.Clone(noticed)
	all[own] = time.Time{}
	return all
}

// recheckAt is when the first of them is forgotten, zero for never.
func (w *writers) recheckAt() time.Time {
	var first time.Time
	for _, at := range w.noticed {
		if until := at.Add(contestedFor); first.IsZero() || until.Before(first) {
			first = until
		}
	}
	return first
}
