package qworker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backoff"
	"github.com/quickube/qscaler/internal/ownwrites"
)

// object writes the QWorker itself: its finalizer and its status.
type object struct {
	client  client.Client
	clock   clock.PassiveClock
	written *ownwrites.Overlay[types.UID, *v1alpha1.QWorker]
	writes  *backoff.Attempts[write]

	// qw is the QWorker with the version that it now has; base is how it was at the beginning of the round.
	qw, base *v1alpha1.QWorker
}

// write is one of those that concern the QWorker itself, and the revision that it describes.
type write string

const (
	finalizerWrite write = "finalizers"
	statusWrite    write = "status"
	historyWrite   write = "history"

	revisionWrites = "revision of "
)

// revisionWrite is the write of the revision that the QWorker and the ScalerConfig describe in these generations.
func revisionWrite(qworker, scalerConfig int64) write {
	return write(fmt.Sprintf("%s%d and %d", revisionWrites, qworker, scalerConfig))
}

func (w write) isRevision() bool { return strings.HasPrefix(string(w), revisionWrites) }

// isLetGoAtOnce reports whether the deletion leaves the pods alone: the user asked for it to orphan them, or the finalizer
// is not ours to remove any more.
func isLetGoAtOnce(qw *v1alpha1.QWorker) bool {
	return controllerutil.ContainsFinalizer(qw, metav1.FinalizerOrphanDependents) ||
		!controllerutil.ContainsFinalizer(qw, v1alpha1.Finalizer)
}

// hold adds the finalizer before the first pod is made.
func (o *object) addFinalizer(ctx context.Context) error {
	if o.qw.DeletionTimestamp != nil || controllerutil.ContainsFinalizer(o.qw, v1alpha1.Finalizer) {
		return nil
	}
	return o.writes.Attempt(o.clock, finalizerWrite, func() error {
		return o.setFinalizers(ctx, append(slices.Clone(o.qw.Finalizers), v1alpha1.Finalizer))
	})
}

// letGo removes the finalizer.
func (o *object) letGo(ctx context.Context) error {
	if !controllerutil.ContainsFinalizer(o.qw, v1alpha1.Finalizer) {
		return nil
	}
	rest := slices.DeleteFunc(slices.Clone(o.qw.Finalizers), func(f string) bool { return f == v1alpha1.Finalizer })
	return client.IgnoreNotFound(o.setFinalizers(ctx, rest))
}

// setFinalizers writes the finalizers, unless someone else has changed the object meanwhile: the list is written as a
// whole.
func (o *object) setFinalizers(ctx context.Context, finalizers []string) error {
	updated := o.qw.DeepCopy()
	updated.Finalizers = finalizers
	patch := client.MergeFromWithOptions(o.qw, client.MergeFromWithOptimisticLock{})
	if err := o.client.Patch(ctx, updated, patch); err != nil {
		return fmt.Errorf("setting the finalizers, %w", err)
	}
	o.qw.Finalizers = updated.Finalizers
	o.noteWritten(updated)
	return nil
}

// writeStatus writes the whole status, and not what differs from the cache: zeros are to be seen. It writes over the
// version that the status was made from: a leader whose cache is behind must not take back what the one before it has
// published. A QWorker that is gone needs no status.
func (o *object) writeStatus(ctx context.Context, status *v1alpha1.QWorkerStatus) (written bool, err error) {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": o.qw.ResourceVersion},
		"status":   wholeStatus{status, status.Queue, status.UnknownHolders, status.Recommendations, status.WorkersEndedTime},
	})
	if err != nil {
		return false, fmt.Errorf("encoding the status, %w", err)
	}
	updated := &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Namespace: o.qw.Namespace, Name: o.qw.Name}}
	err = o.writes.Attempt(o.clock, statusWrite, func() error {
		return o.client.Status().Patch(ctx, updated, client.RawPatch(types.MergePatchType, patch))
	})
	switch {
	case client.IgnoreNotFound(err) != nil:
		return false, fmt.Errorf("writing the status, %w", err)
	case err != nil:
		return false, nil
	}
	o.noteWritten(updated)
	return true, nil
}

// wholeStatus names what a merge patch must remove when it is there no more.
type wholeStatus struct {
	*v1alpha1.QWorkerStatus
	Queue           *v1alpha1.QueueStatus              `json:"queue"`
	UnknownHolders  *v1alpha1.UnknownHolders           `json:"unknownHolders"`
	Recommendations []v1alpha1.ContainerRecommendation `json:"recommendations"`

	WorkersEndedTime *metav1.Time `json:"workersEndedTime"`
}

// noteWritten remembers the QWorker as the API server has returned it. What is written next is written over it.
func (o *object) noteWritten(updated *v1alpha1.QWorker) {
	keepWriters(updated)
	o.qw.ResourceVersion = updated.ResourceVersion
	o.written.Record(updated.UID, ownwrites.Write[*v1alpha1.QWorker]{Object: updated, At: o.clock.Now()})
}
