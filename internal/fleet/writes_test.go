package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/bubbletest"
	"github.com/quickube/qscaler/internal/ownwrites"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
	"github.com/quickube/qscaler/worker/contract"
)

// behind is a fleet whose cache stays as it was at the start. It notes what the API server is asked to write.
type behind struct {
	*Fleets
	clock  *clocktesting.FakeClock
	mu     sync.Mutex // a plan's writes are made in parallel
	writes []string
	refuse error
}

// ownPod is a pod of owner's.
func ownPod(name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "test", Name: name, UID: "uid-of-pod", ResourceVersion: "7", Labels: map[string]string{contract.LabelPodSpecHash: "r1"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "QWorker", Name: "qw", UID: owner().UID, Controller: ptr.To(true)}},
		},
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{{Name: "first", Image: "large"}}, Containers: []corev1.Container{{Name: "worker", Image: "large"}},
			TerminationGracePeriodSeconds: ptr.To[int64](60),
		},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "worker", RestartCount: 3}}},
	}
}

func newBehind(pods ...*corev1.Pod) *behind {
	b := &behind{clock: clocktesting.NewFakeClock(t0)}
	builder := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme)
	for _, pod := range pods {
		stays := pod.DeepCopy()
		stays.Finalizers = []string{"test/stays"}
		builder = builder.WithObjects(stays)
	}
	live := builder.Build()
	note := func(format string, args ...any) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.writes = append(b.writes, fmt.Sprintf(format, args...))
		return b.refuse
	}
	c := interceptor.NewClient(live, interceptor.Funcs{
		List: func(_ context.Context, _ client.WithWatch, into client.ObjectList, _ ...client.ListOption) error {
			for _, pod := range pods {
				into.(*corev1.PodList).Items = append(into.(*corev1.PodList).Items, *pod.DeepCopy())
			}
			return b.refuse
		},
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, _ ...client.CreateOption) error {
			if err := note("create %s", o.GetName()); err != nil {
				return err
			}
			err := c.Create(ctx, o)
			o.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "large"}})
			return err
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, _ ...client.PatchOption) error {
			data, _ := p.Data(o)
			if err := note("patch %s: %s", o.GetName(), data); err != nil {
				return err
			}
			return c.Patch(ctx, o, p)
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, _ string, o client.Object, p client.Patch, _ ...client.SubResourcePatchOption) error {
			data, _ := p.Data(o)
			if err := note("resize %s: %s", o.GetName(), data); err != nil {
				return err
			}
			return c.Patch(ctx, o, p)
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.DeleteOption) error {
			asked, _ := json.Marshal((&client.DeleteOptions{}).ApplyOptions(options).AsDeleteOptions())
			if err := note("delete %s: %s", o.GetName(), asked); err != nil {
				return err
			}
			return c.Delete(ctx, o)
		},
	})
	b.Fleets = New(c, interceptor.NewClient(live, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
			if b.refuse != nil {
				return b.refuse
			}
			return c.Get(ctx, key, o, options...)
		},
	}), b.clock)
	return b
}

// known is what the next plan knows of each pod.
func (b *behind) known(t *testing.T) []string {
	t.Helper()
	pods, err := b.Observe(t.Context(), owner())
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, pod := range pods {
		words := pod.Name
		if drain := pod.Annotations[contract.AnnotationDrain]; drain != "" {
			words += " " + drain
		}
		if pod.DeletionTimestamp != nil {
			words += " is deleted"
		}
		known = append(known, words)
	}
	return known
}

func (b *behind) apply(t *testing.T, qw *v1alpha1.QWorker, actions ...planner.Action) ([]planner.Action, error) {
	t.Helper()
	pods, err := b.Observe(t.Context(), owner())
	if err != nil {
		t.Fatal(err)
	}
	return b.Apply(t.Context(), qw, pods, actions, func(*corev1.Pod) string { return "worker" }, func(a planner.Action) revision.Pod {
		pod := ownPod(a.Pod)
		pod.ResourceVersion = ""
		return revision.Pod{Pod: pod}
	})
}

// What each action asks of the API server, to the letter, and what is known of the pods though the cache does not show it.
func TestWhatAnActionWrites(t *testing.T) {
	signal := owner()
	signal.Spec.Drain = &v1alpha1.DrainSpec{Mode: v1alpha1.DrainSignal, MaxTaskDuration: &metav1.Duration{Duration: 5 * time.Minute}}
	grant := owner()
	grant.Spec.Drain = &v1alpha1.DrainSpec{MaxTaskDuration: &metav1.Duration{Duration: 5 * time.Minute}}
	const same = `"preconditions":{"uid":"uid-of-pod","resourceVersion":"7"}`
	cases := map[string]struct {
		qw     *v1alpha1.QWorker
		action planner.Action
		want   string
		known  []string
	}{
		"a grant is given": {
			owner(), planner.Action{Kind: planner.GrantLeave, Pod: "a", Grant: contract.ReasonScaleDown},
			`patch a: {"metadata":{"annotations":{"quickube.com/drain":"ScaleDown","quickube.com/drain-since":"2026-01-02T03:04:05Z,3"},"resourceVersion":"7","uid":"uid-of-pod"}}`,
			[]string{"a ScaleDown", "b"},
		},
		"a grant is withdrawn": {
			owner(), planner.Action{Kind: planner.WithdrawGrant, Pod: "a"},
			`patch a: {"metadata":{"annotations":{"quickube.com/drain":null},"resourceVersion":"7","uid":"uid-of-pod"}}`,
			[]string{"a", "b"},
		},
		"a signal, with the grace period of the pod": {
			grant, planner.Action{Kind: planner.SignalLeave, Pod: "a"},
			`delete a: {"gracePeriodSeconds":60,` + same + `}`, []string{"a is deleted", "b"},
		},
		"a signal, with that of the spec, which is longer": {
			signal, planner.Action{Kind: planner.SignalLeave, Pod: "a"},
			`delete a: {"gracePeriodSeconds":300,` + same + `}`, []string{"a is deleted", "b"},
		},
		"a signal to a pod from before there were grace periods": {
			owner(), planner.Action{Kind: planner.SignalLeave, Pod: "b"},
			`delete b: {"gracePeriodSeconds":0,` + same + `}`, []string{"a", "b is deleted"},
		},
		"a pod that does not run": {
			owner(), planner.Action{Kind: planner.DeleteNotRunning, Pod: "a"},
			`delete a: {` + same + `}`, []string{"a is deleted", "b"},
		},
		"a pod that is overdue": {
			owner(), planner.Action{Kind: planner.DeleteOverdue, Pod: "a"},
			`delete a: {"gracePeriodSeconds":30,"preconditions":{"uid":"uid-of-pod"}}`, []string{"a is deleted", "b"},
		},
		"a pod that has left": {
			owner(), planner.Action{Kind: planner.Remove, Pod: "a"},
			`delete a: {"gracePeriodSeconds":30,"preconditions":{"uid":"uid-of-pod"}}`, []string{"a is deleted", "b"},
		},
		"a new pod": {
			owner(), planner.Action{Kind: planner.Create, Pod: "c"}, `create c`, []string{"a", "b", "c"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			without := ownPod("b")
			without.Spec.TerminationGracePeriodSeconds = nil
			b := newBehind(without, ownPod("a"))
			done, err := b.apply(t, c.qw, c.action)
			if err != nil || len(done) != 1 {
				t.Fatalf("done are %v, the error is %v", done, err)
			}
			if diff := cmp.Diff([]string{c.want}, b.writes); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.known, b.known(t)); diff != "" {
				t.Errorf("the next plan knows (-want +got):\n%s", diff)
			}
			b.Forget(owner().UID)
			if diff := cmp.Diff([]string{"a", "b"}, b.known(t)); diff != "" {
				t.Errorf("what is forgotten is known (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnActionThatIsNotKnownIsAnError(t *testing.T) {
	b := newBehind(ownPod("a"))
	done, err := b.apply(t, owner(), planner.Action{Kind: "Dance", Pod: "a"})
	if len(done) != 0 || err == nil || !strings.Contains(err.Error(), "on pod a is not known") {
		t.Errorf("done are %v, the error is %v", done, err)
	}
}

// A pod that is to make room and does not leaves none: one less is created, and not one more than there may be.
func TestNoPodIsCreatedForOneThatStays(t *testing.T) {
	b := newBehind(ownPod("a"), ownPod("b"))
	pods := b.known(t)
	if len(pods) != 2 {
		t.Fatalf("the pods are %v", pods)
	}
	changed := apierrors.NewConflict(podResource, "a", errors.New("the object has been modified"))
	b.client = interceptor.NewClient(b.client.(client.WithWatch), interceptor.Funcs{
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.DeleteOption) error {
			if o.GetName() == "a" {
				return changed
			}
			return c.Delete(ctx, o, options...)
		},
	})
	done, err := b.apply(t, owner(),
		planner.Action{Kind: planner.DeleteNotRunning, Pod: "a"}, planner.Action{Kind: planner.DeleteNotRunning, Pod: "b"},
		planner.Action{Kind: planner.Create, Pod: "c"}, planner.Action{Kind: planner.Create, Pod: "d"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range done {
		got = append(got, a.Pod)
	}
	if diff := cmp.Diff([]string{"b", "c"}, got); diff != "" {
		t.Errorf("done (-want +got):\n%s", diff)
	}
}

// What is kept of a written pod is what the cache keeps of one.
func TestAWrittenPodIsKeptAsTheCacheKeepsIt(t *testing.T) {
	b := newBehind()
	if _, err := b.apply(t, owner(), planner.Action{Kind: planner.Create, Pod: "c"}); err != nil {
		t.Fatal(err)
	}
	pods, err := b.Observe(t.Context(), owner())
	if err != nil || len(pods) != 1 {
		t.Fatalf("the pods are %v, the error is %v", pods, err)
	}
	want := corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "first"}}, Containers: []corev1.Container{{Name: "worker"}},
		TerminationGracePeriodSeconds: ptr.To[int64](60),
	}
	if diff := cmp.Diff(want, pods[0].Spec); diff != "" {
		t.Errorf("the spec (-want +got):\n%s", diff)
	}
	if len(pods[0].ManagedFields) > 0 {
		t.Errorf("it keeps the managed fields %v", pods[0].ManagedFields)
	}
	if next, want := b.NextDoubt(owner().UID), t0.Add(ownwrites.VerifyAfter); !next.Equal(want) {
		t.Errorf("it is in doubt from %s on, want %s", next, want)
	}
}

// Whatever the API server refuses is an error: pods that are not known are not none.
func TestWhatTheAPIServerRefusesIsReported(t *testing.T) {
	refused := errors.New("connection refused")
	grow := map[string]corev1.ResourceRequirements{"worker": {}}
	cases := map[string]struct {
		before func(b *behind) // while it answers yet
		do     func(b *behind) (any, error)
		want   any
		says   string
	}{
		"the list of pods": {nil, func(b *behind) (any, error) {
			return b.Observe(t.Context(), owner())
		}, []*corev1.Pod(nil), "listing the pods, "},
		"the look at a pod in doubt": {func(b *behind) {
			_, _ = b.apply(t, owner(), planner.Action{Kind: planner.Create, Pod: "c"})
			b.clock.Step(ownwrites.VerifyAfter)
		}, func(b *behind) (any, error) { return b.Observe(t.Context(), owner()) }, []*corev1.Pod(nil), "asking for the pod c, "},
		"whether a pod is gone": {nil, func(b *behind) (any, error) { return b.Gone(t.Context(), owner(), "a") }, false, "asking for the pod a, "},
		"a resize":              {nil, func(b *behind) (any, error) { return b.Resize(t.Context(), owner(), ownPod("a"), grow) }, false, "resizing pod a, "},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBehind(ownPod("a"))
			if c.before != nil {
				c.before(b)
			}
			b.refuse = refused
			got, err := c.do(b)
			if !errors.Is(err, refused) || !strings.HasPrefix(err.Error(), c.says) {
				t.Errorf("the error is %v, want one that begins with %q", err, c.says)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("with the error there comes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGone(t *testing.T) {
	orphan := ownPod("orphan")
	orphan.OwnerReferences = nil
	b := newBehind(ownPod("a"), orphan)
	for name, want := range map[string]struct {
		gone bool
		err  error
	}{
		"a":       {false, nil},
		"orphan":  {false, ErrNotOurs},
		"nowhere": {true, nil},
	} {
		if gone, err := b.Gone(t.Context(), owner(), name); gone != want.gone || !errors.Is(err, want.err) {
			t.Errorf("%s: gone is %t, %v; want %t, %v", name, gone, err, want.gone, want.err)
		}
	}
}

// Ordinary containers and those that run first stand in lists of their own.
func TestWhatAResizeWrites(t *testing.T) {
	size := corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2")}}
	const resources = `"resources":{"requests":{"cpu":"2"}}`
	cases := map[string]struct {
		containers []string
		want       string
	}{
		"the worker":                  {[]string{"worker"}, `{"containers":[{"name":"worker",` + resources + `}]}`},
		"a container that runs first": {[]string{"first"}, `{"initContainers":[{"name":"first",` + resources + `}]}`},
		"both":                        {[]string{"worker", "first"}, `{"containers":[{"name":"worker",` + resources + `}],"initContainers":[{"name":"first",` + resources + `}]}`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBehind(ownPod("a"))
			containers := map[string]corev1.ResourceRequirements{}
			for _, container := range c.containers {
				containers[container] = size
			}
			if done, err := b.Resize(t.Context(), owner(), ownPod("a"), containers); !done || err != nil {
				t.Fatalf("resized is %t, %v", done, err)
			}
			want := []string{`resize a: {"metadata":{"uid":"uid-of-pod"},"spec":` + c.want + `}`}
			if diff := cmp.Diff(want, b.writes); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
			pods, err := b.Observe(t.Context(), owner())
			if err != nil {
				t.Fatal(err)
			}
			if got := pods[0].ResourceVersion; got != "8" || b.NextDoubt(owner().UID) != (time.Time{}) {
				t.Errorf("the next plan sees the pod at version %s, and looks again at %s; want 8, and never", got, b.NextDoubt(owner().UID))
			}
		})
	}
}

func TestIndexes(t *testing.T) {
	pod := ownPod("a")
	pod.Spec.NodeName = "n1"
	replica := ownPod("b")
	replica.OwnerReferences[0].Kind = "ReplicaSet"
	bare := &corev1.Pod{}
	for name, c := range map[string]struct {
		object      client.Object
		owner, node []string
	}{
		"a worker":              {pod, []string{"the-uid"}, []string{"n1"}},
		"a pod of another":      {replica, nil, nil},
		"a pod of nobody":       {bare, nil, nil},
		"what is no pod at all": {&corev1.Node{}, nil, nil},
	} {
		if diff := cmp.Diff(c.owner, IndexByOwner(c.object)); diff != "" {
			t.Errorf("%s by its owner (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(c.node, IndexByNode(c.object)); diff != "" {
			t.Errorf("%s by its node (-want +got):\n%s", name, diff)
		}
	}
}

// What is no pod, and no node, passes as it is: the cache has tombstones, too.
func TestStripLeavesTheRestAlone(t *testing.T) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s"}}
	for name, strip := range map[string]func(any) (any, error){"Strip": Strip, "StripNode": StripNode} {
		if got, err := strip(secret); got != any(secret) || err != nil {
			t.Errorf("%s makes of it %v, %v", name, got, err)
		}
	}
}

// Three messages say it, each once, in the order of their words.
func TestManyErrorsAreAFewWords(t *testing.T) {
	var errs []error
	for _, words := range []string{"d", "b", "a", "b", "c", "a"} {
		errs = append(errs, errors.New(words))
	}
	if got, want := joinDistinct(errs).Error(), "a\nb\nc"; got != want {
		t.Errorf("the error is %q, want %q", got, want)
	}
}

// No more than parallelWrites requests are under way at once, and all are made.
func TestWritesAreBounded(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		var underWay, made atomic.Int64
		answer := make(chan struct{})
		go func() {
			_, err := inParallel(make([]planner.Action, 2*parallelWrites), func(planner.Action) error {
				underWay.Add(1)
				defer underWay.Add(-1)
				<-answer
				made.Add(1)
				return nil
			})
			if err != nil {
				t.Errorf("the error is %v", err)
			}
		}()
		for n := range 2 * parallelWrites {
			synctest.Wait()
			if got, want := underWay.Load(), min(parallelWrites, 2*parallelWrites-n); got != int64(want) {
				t.Fatalf("after %d answers %d requests are under way, want %d", n, got, want)
			}
			answer <- struct{}{}
		}
		synctest.Wait()
		if made.Load() != 2*parallelWrites {
			t.Errorf("%d requests were made, want %d", made.Load(), 2*parallelWrites)
		}
	})
}

func TestSplitCreateErrors(t *testing.T) {
	first, second := NewCreateError("r1", "p", errors.New("no p")), NewCreateError("r2", "q", errors.New("no q"))
	other := errors.New("patching a pod failed")
	refusals, rest := SplitCreateErrors(errors.Join(first, errors.Join(other, second)))
	if len(refusals) != 2 || !errors.Is(refusals["r1"], first) || !errors.Is(refusals["r2"], second) {
		t.Errorf("the refusals are %v", refusals)
	}
	if !errors.Is(rest, other) || errors.Is(rest, first) || errors.Is(rest, second) {
		t.Errorf("the rest is %v", rest)
	}
	if refusals, rest := SplitCreateErrors(nil); len(refusals) != 0 || rest != nil {
		t.Errorf("of no error there are %v and %v", refusals, rest)
	}
}
