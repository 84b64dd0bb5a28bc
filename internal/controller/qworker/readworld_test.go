package qworker

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/revision"
	"github.com/quickube/qscaler/worker/contract"
)

// readWorld is a QWorker on an API server and a broker in memory, and the test in the kubelet's place. It runs in a
// bubble. Of the operator's reads one may fail, and what it writes is noted.
type readWorld struct {
	*testing.T
	server client.WithWatch
	// fails is which of the operator's reads fails, counted from 1; 0 is none. failed says which it was.
	fails  int
	reads  int
	failed string
	writes []string
	// before is how many writes there were when the read failed.
	before int
	// loses is true where the answer to the next creation of a pod gets lost.
	loses   bool
	waiting int64

	woken chan struct{}

	mu sync.Mutex
}

// counted is in the context of a reconciliation, whose reads are counted; those beside it are not.
type counted struct{}

var readName = types.NamespacedName{Namespace: "test", Name: "w"}

// readScheme has the kinds of all these worlds. It is made once, because that takes longer than a world lasts.
var readScheme = sync.OnceValue(func() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // they are all different
		}
	}
	return scheme
})

func newReadWorld(t *testing.T, objects ...client.Object) *readWorld {
	t.Helper()
	scheme := readScheme()
	// A tracker that does not keep who manages which field: the operator never asks for that, and it takes most of the time.
	tracker := clienttesting.NewObjectTracker(scheme, serializer.NewCodecFactory(scheme).UniversalDecoder())
	return &readWorld{T: t, woken: make(chan struct{}, 1), server: fake.NewClientBuilder().WithScheme(scheme).
		WithObjectTracker(tracker).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.QWorker{}).
		WithIndex(&corev1.Pod{}, fleet.OwnerIndex, fleet.IndexByOwner).
		WithIndex(&appsv1.ControllerRevision{}, revision.OwnerIndex, revision.IndexByOwner).Build()}
}

func readConfig() *v1alpha1.ScalerConfig {
	return &v1alpha1.ScalerConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "config"},
		Spec:       v1alpha1.ScalerConfigSpec{Type: "redis", Config: v1alpha1.BrokerConfig{Host: "h"}},
	}
}

func readQWorker(minimum int32) *v1alpha1.QWorker {
	return &v1alpha1.QWorker{
		ObjectMeta: metav1.ObjectMeta{Namespace: readName.Namespace, Name: readName.Name, UID: "uid", Generation: 1},
		Spec: v1alpha1.QWorkerSpec{
			PodSpec: corev1.PodSpec{Containers: []corev1.Container{{Name: "worker", Image: "worker:1"}}},
			ScaleConfig: v1alpha1.ScaleConfig{
				ScalerConfigRef: "config", Queue: "q", MinReplicas: minimum, MaxReplicas: 10, ScaleDownDelay: &metav1.Duration{},
			},
			Rollout: &v1alpha1.RolloutSpec{MinReadySeconds: ptr.To[int32](0)},
		},
	}
}

// client is what the operator holds.
func (w *readWorld) client() client.WithWatch {
	return interceptor.NewClient(w.server, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if err := w.read(ctx, fmt.Sprintf("get %T %s", o, key.Name)); err != nil {
				return err
			}
			return c.Get(ctx, key, o, opts...)
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if err := w.read(ctx, fmt.Sprintf("list %T", list)); err != nil {
				return err
			}
			return c.List(ctx, list, opts...)
		},
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			var options client.CreateOptions
			if options.ApplyOptions(opts); len(options.DryRun) > 0 {
				return nil
			}
			w.note("create", o)
			o.SetUID(types.UID("uid of " + o.GetName()))
			o.SetCreationTimestamp(metav1.Now())
			err := c.Create(ctx, o, opts...)
			if _, isPod := o.(*corev1.Pod); isPod && w.loses {
				w.loses = false
				return apierrors.NewTimeoutError("the answer got lost", 1)
			}
			return err
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			w.note("patch", o)
			return c.Patch(ctx, o, p, opts...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			w.note("delete", o)
			return c.Delete(ctx, o, opts...)
		},
	})
}

func (w *readWorld) read(ctx context.Context, what string) error {
	if ctx.Value(counted{}) == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reads++; w.reads == w.fails {
		w.failed, w.before = what, len(w.writes)
		return apierrors.NewServiceUnavailable("away")
	}
	return nil
}

// note notes a write, but of a status.
func (w *readWorld) note(verb string, o client.Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes = append(w.writes, fmt.Sprintf("%s %T %s", verb, o, o.GetName()))
}

func (w *readWorld) noted() (writes []string, failed string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.writes), w.failed
}

// memoryDriver tells that a queue has the messages of the world, and that no worker holds one.
type memoryDriver struct{ *readWorld }

func (d memoryDriver) Close() {}

func (d memoryDriver) Depths(_ context.Context, queries []broker.Query) ([]broker.Answer, error) {
	answers := make([]broker.Answer, len(queries))
	for i, q := range queries {
		answers[i].Depth = broker.Depth{Waiting: broker.CountOf(d.waiting), InFlight: broker.CountOf(0), Held: map[string]int64{}}
		for _, worker := range q.Workers {
			answers[i].Depth.Held[worker.PodName] = 0
		}
	}
	return answers, nil
}

type memoryConfig struct{}

func (memoryConfig) Equal(broker.Config) bool { return true }

// mostRounds is more than any of these worlds takes.
const mostRounds = 100

// operate runs an operator that has just started until nothing happens any more, and checks each reconciliation in which a
// read has failed.
func (w *readWorld) operate() {
	w.Helper()
	kind := broker.Kind{
		Type: "redis", Port: 6379,
		Parse: func(broker.Settings) (broker.Config, error) { return memoryConfig{}, nil },
		Open: func(context.Context, broker.Config, broker.Doorbell) (broker.Driver, error) {
			return memoryDriver{w}, nil
		},
	}
	var r *Reconciler
	queues := backlog.New(backlog.Options{Notify: func(key backlog.Key) { r.Notify(key) }})
	c := w.client()
	r = New(Options{
		Client: c, Live: c, Resolver: connection.NewResolver(broker.Kinds{kind}, c, c), Backlog: queues, WatchNodes: true,
		Claim:    func(context.Context, string) (broker.Claim, error) { return broker.Claim{Process: "operator"}, nil },
		Recorder: &events.FakeRecorder{}, Clock: clock.RealClock{}, Metrics: prometheus.NewRegistry(), Operator: OperatorPrefix + "test",
	})
	ctx, cancel := context.WithCancel(w.Context())
	w.must(r.Source().Start(ctx, wakes{readWorld: w}))
	ended, recovered := make(chan struct{}), make(chan struct{})
	go func() {
		_ = queues.Start(ctx)
		close(ended)
	}()
	go func() {
		_ = r.Recovery().Start(ctx)
		close(recovered)
	}()
	for rounds, due := 0, time.Now(); w.awaits(due); rounds++ {
		if rounds == mostRounds {
			w.Errorf("it does not come to rest in %d rounds: %s", rounds, w.picture())
			break
		}
		due = w.reconcile(ctx, r)
		if w.kubelet() {
			w.wake()
		}
	}
	cancel()
	<-ended
	<-recovered
}

// wakes is the controller's queue of one object.
type wakes struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request] // nil: the operator only adds
	*readWorld
}

func (q wakes) Add(reconcile.Request) { q.wake() }

func (wakes) Len() int { return 0 }

// awaits waits until the operator is woken or its time has come, and reports false where nothing comes for long.
func (w *readWorld) awaits(due time.Time) bool {
	const rest = 35 * time.Second // an excess of workers that may be busy is spared for 30 s
	end := time.Now().Add(rest)
	if !due.IsZero() && due.Before(end) {
		end = due
	}
	timer := time.NewTimer(time.Until(end))
	defer timer.Stop()
	select {
	case <-w.woken:
	case <-timer.C:
	}
	synctest.Wait()
	return end.Equal(due) || time.Now().Before(end)
}

func (w *readWorld) wake() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

// reconcile reconciles once, and returns when that is to be done again, zero for never. Where a read fails, that is said,
// and after it nothing is written but the status. Nothing is published there, but what was decided and done before.
func (w *readWorld) reconcile(ctx context.Context, r *Reconciler) (again time.Time) {
	w.Helper()
	before, failedBefore := w.noted()
	published := w.published()
	ctx = ctrl.LoggerInto(context.WithValue(ctx, counted{}, true), logr.Discard())
	result, err := r.Reconcile(ctx, ctrl.Request{NamespacedName: readName})
	after, failed := w.noted()
	if failed != failedBefore {
		if err == nil {
			w.Errorf("%s has failed, and the reconciliation says %+v and no error", failed, result)
		}
		if len(after) > w.before {
			w.Errorf("%s has failed, and these were written all the same: %q", failed, after[w.before:])
		}
		if now := w.published(); now != published && w.before == len(before) {
			w.Errorf("%s has failed, and %q was published after %q", failed, now, published)
		}
	} else if err != nil && failed != "" {
		w.Errorf("a reconciliation after %s had failed: %v", failed, err)
	}
	switch {
	case err != nil:
		return time.Now().Add(retryBase)
	case result.RequeueAfter > 0:
		return time.Now().Add(result.RequeueAfter)
	}
	return time.Time{}
}

func (w *readWorld) qworker() *v1alpha1.QWorker {
	w.Helper()
	qw := &v1alpha1.QWorker{}
	if err := w.server.Get(w.Context(), readName, qw); client.IgnoreNotFound(err) != nil {
		w.Fatal(err)
	}
	return qw
}

func (w *readWorld) published() string { return w.qworker().Status.CurrentPodSpecHash }

func (w *readWorld) pods() []corev1.Pod {
	w.Helper()
	var list corev1.PodList
	if err := w.server.List(w.Context(), &list); err != nil {
		w.Fatal(err)
	}
	return list.Items
}

// objects are all that there are.
func (w *readWorld) objects() []client.Object {
	w.Helper()
	var objects []client.Object
	for _, list := range []client.ObjectList{
		&corev1.PodList{}, &corev1.NodeList{}, &appsv1.ControllerRevisionList{}, &v1alpha1.QWorkerList{}, &v1alpha1.ScalerConfigList{},
	} {
		w.must(w.server.List(w.Context(), list))
		w.must(meta.EachListItem(list, func(o runtime.Object) error {
			objects = append(objects, o.(client.Object))
			return nil
		}))
	}
	return objects
}

// kubelet runs what is to run, and ends what has a grant. It reports whether it did anything.
func (w *readWorld) kubelet() (changed bool) {
	w.Helper()
	for _, pod := range w.pods() {
		status := corev1.ContainerStatus{Name: "worker", Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
		phase := corev1.PodRunning
		if pod.Annotations[contract.AnnotationDrain] != "" {
			status = corev1.ContainerStatus{Name: "worker", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: metav1.Now()}}}
			phase = corev1.PodSucceeded
		}
		if pod.Status.Phase == phase {
			continue
		}
		changed = true
		pod.Status.Phase, pod.Status.ContainerStatuses, pod.Status.Conditions = phase, []corev1.ContainerStatus{status}, nil
		if phase == corev1.PodRunning {
			pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}}
		}
		w.must(w.server.Status().Update(w.Context(), &pod))
	}
	return changed
}

func (w *readWorld) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// picture is what there is in the end: the QWorker, and how many pods of each image and node.
func (w *readWorld) picture() string {
	w.Helper()
	qw := w.qworker()
	pods := map[string]int{}
	for _, pod := range w.pods() {
		pods[fmt.Sprintf("%s on %q", pod.Spec.Containers[0].Image, cmp.Or(pod.Spec.NodeName, "none"))]++
	}
	return fmt.Sprintf("finalizers %q, desired %d, ready %d, published %q; pods %v",
		qw.Finalizers, qw.Status.DesiredReplicas, qw.Status.ReadyReplicas, qw.Status.CurrentPodSpecHash, pods)
}
