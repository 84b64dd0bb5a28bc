package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/ownwrites"
	"github.com/quickube/qscaler/worker/contract"
)

// podWrite is a pod as this process last wrote it.
type podWrite = ownwrites.Write[*corev1.Pod]

// Fleets reads and changes the pods of QWorkers.
type Fleets struct {
	client     client.Client
	live       client.Reader
	clock      clock.Clock
	overlay    *ownwrites.Overlay[types.UID, *corev1.Pod]
	podRetries *podRetries
	ramps      *ramps
}

// New returns Fleets. The client reads from a cache that has the index of OwnerIndex; live reads from the
// API server.
func New(c client.Client, live client.Reader, clk clock.Clock) *Fleets {
	return &Fleets{
		client: c, live: live, clock: clk, overlay: ownwrites.New[types.UID, *corev1.Pod](),
		podRetries: newPodRetries(clk), ramps: newRamps(clk),
	}
}

// OwnerIndex is the name of the cache's index of pods by the UID of the QWorker that controls them. By UID,
// not by name: the pods of a deleted QWorker are not those of its successor.
const OwnerIndex = "qworker-uid"

// IndexByOwner is the function of OwnerIndex.
func IndexByOwner(object client.Object) []string {
	owner := metav1.GetControllerOfNoCopy(object)
	if owner == nil || owner.Kind != "QWorker" {
		return nil
	}
	return []string{string(owner.UID)}
}

// Observe returns the QWorker's pods by name, as the cache shows them and as this process has changed them since.
// They are shared with the cache and must not be changed. An error means that the pods are not known, never
// that there are none.
func (f *Fleets) Observe(ctx context.Context, qw *v1alpha1.QWorker) ([]*corev1.Pod, error) {
	if err := f.verify(ctx, qw); err != nil {
		return nil, err
	}
	var list corev1.PodList
	err := f.client.List(ctx, &list, client.InNamespace(qw.Namespace),
		client.MatchingFields{OwnerIndex: string(qw.UID)}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("listing the pods, %w", err)
	}
	cached := make([]*corev1.Pod, len(list.Items))
	for i := range list.Items {
		cached[i] = &list.Items[i]
	}
	pods := f.overlay.Merge(qw.UID, cached)
	// The cache has no order, and messages that name pods must not change by themselves.
	slices.SortFunc(pods, func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	f.podRetries.forget(qw.UID, pods)
	return pods, nil
}

// NextDoubt is when Observe is to be called again though nothing seems to change, zero for never: a pod that
// was created and that the cache never shows would be counted for ever.
func (f *Fleets) NextDoubt(uid types.UID) time.Time { return f.overlay.NextDoubt(uid) }

// verify asks the API server about writes whose outcome is in doubt.
func (f *Fleets) verify(ctx context.Context, qw *v1alpha1.QWorker) error {
	now := f.clock.Now()
	for _, w := range f.overlay.Doubtful(qw.UID, now) {
		var pod corev1.Pod
		err := f.live.Get(ctx, client.ObjectKeyFromObject(w.Object), &pod)
		switch {
		case apierrors.IsNotFound(err) && w.Created && now.Sub(w.At) < ownwrites.VerifyAfter:
			// It may be on its way yet: dropped too early, it would be created twice.
		case apierrors.IsNotFound(err) && !w.Created:
			gone := w.Object.DeepCopy()
			gone.DeletionTimestamp = ptr.To(metav1.NewTime(now))
			f.overlay.Record(qw.UID, podWrite{Object: gone, Deleted: true, At: now})
		case apierrors.IsNotFound(err):
			f.overlay.Drop(qw.UID, w.Object.Name)
		case err != nil:
			return fmt.Errorf("asking for the pod %s, %w", w.Object.Name, err)
		case !metav1.IsControlledBy(&pod, qw):
			f.overlay.Drop(qw.UID, w.Object.Name)
		default:
			f.overlay.Record(qw.UID, podWrite{Object: slim(&pod), Created: w.Created, At: now})
		}
	}
	return nil
}

// ErrNotOurs is the error for a pod that exists and is not a worker of the QWorker any more, as after a deletion that
// orphans it.
var ErrNotOurs = errors.New("the pod is not the QWorker's any more")

// Gone reports whether the API server has no pod of this name.
func (f *Fleets) Gone(ctx context.Context, qw *v1alpha1.QWorker, pod string) (bool, error) {
	object := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}}
	err := f.live.Get(ctx, types.NamespacedName{Namespace: qw.Namespace, Name: pod}, object)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("asking for the pod %s, %w", pod, err)
	}
	if !metav1.IsControlledBy(object, qw) {
		return false, ErrNotOurs
	}
	return false, nil
}

// Forget drops what is remembered of a QWorker that no longer exists.
func (f *Fleets) Forget(uid types.UID) {
	f.overlay.Forget(uid)
	f.podRetries.forget(uid, nil)
	f.ramps.take(uid)
}

// Selector selects the pods that are cached: those that have an owner's label.
const Selector = contract.LabelQWorkerUID
