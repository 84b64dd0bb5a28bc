package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
	"github.com/quickube/qscaler/worker/contract"
)

const (
	// parallelWrites bounds the requests of one plan that are under way at once.
	parallelWrites = 64
	// leftoverGrace is the grace period of a pod whose worker has left, or was told to long ago.
	leftoverGrace = 30
)

// Make makes the pod of a Create action.
type Make func(a planner.Action) revision.Pod

// Apply carries out a plan's actions on pods that Observe returned. It returns the actions that succeeded;
// what failed because the pod has changed since is left to the next plan, every other failure is in err. A change that
// fails again is tried ever less often. Creations that take long are left to the next plan, too: by then the queue may be
// empty, or the QWorker deleted.
func (f *Fleets) Apply(ctx context.Context, qw *v1alpha1.QWorker, pods []*corev1.Pod, actions []planner.Action, workerOf func(*corev1.Pod) string, newPod Make) (done []planner.Action, err error) {
	byName := make(map[string]*corev1.Pod, len(pods))
	for _, pod := range pods {
		byName[pod.Name] = pod
	}
	var withdrawals, changes, creations []planner.Action
	for _, a := range actions {
		switch a.Kind {
		case planner.Create:
			creations = append(creations, a)
		case planner.WithdrawGrant:
			withdrawals = append(withdrawals, a)
		default:
			changes = append(changes, a)
		}
	}
	act := func(a planner.Action) error {
		return f.podRetries.attempt(qw.UID, change{pod: a.Pod, kind: a.Kind}, func() error {
			return ignoreStale(f.change(ctx, qw, byName[a.Pod], a, workerOf))
		})
	}
	withdrawn, withdrawErr := inParallel(withdrawals, act)
	changes = withoutScaleDowns(changes, len(withdrawals)-len(withdrawn))
	changed, changeErr := inParallel(changes, act)
	changed, changeErr = append(withdrawn, changed...), errors.Join(withdrawErr, changeErr)
	creations = creations[:max(len(creations)-stillThere(changes, changed), 0)]
	created, createErr := f.ramps.slowStart(qw.UID, creations, func(a planner.Action) error {
		return f.create(ctx, qw, a, newPod)
	})
	return append(changed, created...), errors.Join(changeErr, createErr)
}

// withoutScaleDowns leaves out so many of those that are let go because there are too many, the last ones first: a worker
// that was to stay in their place may leave all the same.
func withoutScaleDowns(changes []planner.Action, n int) []planner.Action {
	kept := slices.Clone(changes)
	for i := len(kept) - 1; i >= 0 && n > 0; i-- {
		if kept[i].Grant == contract.ReasonScaleDown {
			kept = slices.Delete(kept, i, i+1)
			n--
		}
	}
	return kept
}

// stillThere counts the pods that were to make room and did not, because they have changed since or the write
// failed. As many creations wait for the next plan: the room may have been meant for them.
func stillThere(changes, changed []planner.Action) int {
	return planner.CountLetGo(changes) - planner.CountLetGo(changed)
}

func (f *Fleets) create(ctx context.Context, qw *v1alpha1.QWorker, a planner.Action, newPod Make) error {
	pod := newPod(a)
	if err := pod.Create(ctx, f.client); err != nil {
		if outcomeUnknown(err) {
			pod.CreationTimestamp = metav1.NewTime(f.clock.Now()) // without it the pod's age would be counted from the year 1
			f.overlay.Record(qw.UID, podWrite{Object: pod.Pod, Created: true, Uncertain: true, At: f.clock.Now()})
		}
		return NewCreateError(a.Revision, pod.Name, err)
	}
	f.overlay.Record(qw.UID, podWrite{Object: slim(pod.Pod), Created: true, At: f.clock.Now()})
	return nil
}

func (f *Fleets) change(ctx context.Context, qw *v1alpha1.QWorker, pod *corev1.Pod, a planner.Action, workerOf func(*corev1.Pod) string) error {
	switch a.Kind {
	case planner.GrantLeave:
		restarts := statusOf(pod, workerOf(pod)).status.RestartCount
		return f.annotate(ctx, qw, pod, map[string]any{
			contract.AnnotationDrain:      string(a.Grant),
			contract.AnnotationDrainSince: fmt.Sprintf("%s,%d", f.clock.Now().UTC().Format(time.RFC3339Nano), restarts),
		})
	case planner.WithdrawGrant:
		return f.annotate(ctx, qw, pod, map[string]any{contract.AnnotationDrain: nil})
	case planner.SignalLeave:
		// The resource version says that it still is the pod that was chosen: running, of that work.
		return f.delete(ctx, qw, pod, client.Preconditions{UID: &pod.UID, ResourceVersion: &pod.ResourceVersion}, client.GracePeriodSeconds(signalGrace(qw, pod)))
	case planner.DeleteNotRunning:
		// The resource version says that it still is not running. Should the container have started just
		// now, SIGTERM means the same as a grant, and the pod has its full grace period.
		return f.delete(ctx, qw, pod, client.Preconditions{UID: &pod.UID, ResourceVersion: &pod.ResourceVersion})
	case planner.DeleteOverdue, planner.Remove:
		return f.delete(ctx, qw, pod, client.Preconditions{UID: &pod.UID}, client.GracePeriodSeconds(leftoverGrace))
	default:
		return fmt.Errorf("the action %s on pod %s is not known", a.Kind, a.Pod)
	}
}

// signalGrace is how long a worker has that is told by SIGTERM: its pod's own grace period, or that of the
// present spec where it is longer. A pod from before the mode was Signal may have been given none for its task.
func signalGrace(qw *v1alpha1.QWorker, pod *corev1.Pod) int64 {
	grace := int64(0)
	if d := qw.Spec.Drain; d != nil && d.Mode == v1alpha1.DrainSignal {
		grace = revision.ContentOf(qw, connection.Spec{}).GracePeriodSeconds()
	}
	return max(grace, ptr.Deref(pod.Spec.TerminationGracePeriodSeconds, 0))
}

// annotate patches a pod's annotations, if it is still the pod that was looked at: the grant names its
// restart count, which must be the present one.
func (f *Fleets) annotate(ctx context.Context, qw *v1alpha1.QWorker, pod *corev1.Pod, annotations map[string]any) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid":             pod.UID,
		"resourceVersion": pod.ResourceVersion,
		"annotations":     annotations,
	}})
	if err != nil {
		return err
	}
	patched := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}
	err = f.client.Patch(ctx, patched, client.RawPatch(types.MergePatchType, patch))
	if err != nil {
		f.doubt(qw, pod, err)
		return fmt.Errorf("patching pod %s, %w", pod.Name, err)
	}
	f.overlay.Record(qw.UID, podWrite{Object: slim(patched), At: f.clock.Now()})
	return nil
}

func (f *Fleets) delete(ctx context.Context, qw *v1alpha1.QWorker, pod *corev1.Pod, options ...client.DeleteOption) error {
	err := f.client.Delete(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}, options...)
	if err != nil && !apierrors.IsNotFound(err) {
		f.doubt(qw, pod, err)
		return fmt.Errorf("deleting pod %s, %w", pod.Name, err)
	}
	deleted := pod.DeepCopy()
	deleted.DeletionTimestamp = ptr.To(metav1.NewTime(f.clock.Now()))
	f.overlay.Record(qw.UID, podWrite{Object: deleted, Deleted: true, At: f.clock.Now()})
	return nil
}

// doubt makes the next Observe ask the API server about a pod whose write failed and may have happened all the same.
// The resource version refuses a second write to this pod. Choosing another pod instead would let two leave for one.
func (f *Fleets) doubt(qw *v1alpha1.QWorker, pod *corev1.Pod, err error) {
	if outcomeUnknown(err) {
		f.overlay.Record(qw.UID, podWrite{Object: pod, Uncertain: true, At: f.clock.Now()})
	}
}

// slim is a pod as the cache keeps it.
func slim(pod *corev1.Pod) *corev1.Pod {
	_, _ = Strip(pod)
	return pod
}

// outcomeUnknown reports whether a write may have happened although it failed: only an answer of the API
// server that is no time-out of its own says that it did not.
func outcomeUnknown(err error) bool {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return false // nobody has heard of it
	}
	if strings.Contains(err.Error(), "failed calling webhook") {
		return false // it is asked before anything is stored
	}
	var status apierrors.APIStatus
	return !errors.As(err, &status) || apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err) || apierrors.IsInternalError(err) || apierrors.IsUnexpectedServerError(err)
}

// errStale marks a write that failed because the pod has changed or gone since it was looked at. The cache
// will show that, and the next plan knows better.
var errStale = errors.New("the pod has changed since")

func ignoreStale(err error) error {
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return errStale
	}
	return err
}

// inParallel runs act on all actions and returns those that succeeded, in their order.
func inParallel(actions []planner.Action, act func(planner.Action) error) (done []planner.Action, err error) {
	var (
		wg    sync.WaitGroup
		errs  = make([]error, len(actions))
		slots = make(chan struct{}, parallelWrites)
	)
	for i, a := range actions {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = act(a)
		})
	}
	wg.Wait()
	var failed []error
	for i, err := range errs {
		switch {
		case err == nil:
			done = append(done, actions[i])
		case !errors.Is(err, errStale):
			failed = append(failed, err)
		}
	}
	return done, joinDistinct(failed)
}

// joinDistinct joins errors, and says only once what many say alike. Their order is that of their words: the order in
// which they came would have the same trouble be another message each time.
func joinDistinct(errs []error) error {
	const most = 3
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	seen := map[string]bool{}
	var distinct []error
	for _, err := range errs {
		if !seen[err.Error()] && len(distinct) < most {
			seen[err.Error()] = true
			distinct = append(distinct, err)
		}
	}
	return errors.Join(distinct...)
}
