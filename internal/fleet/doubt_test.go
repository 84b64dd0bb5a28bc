package fleet

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/quickube/qscaler/internal/ownwrites"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
	"github.com/quickube/qscaler/worker/contract"
)

var errReset = errors.New("connection reset by peer")

// unanswered is an API server that writes and whose answers do not arrive, and a cache that stays as it was.
type unanswered struct {
	*Fleets
	clock  *clocktesting.FakeClock
	server client.Client
}

// newUnanswered begins with pods of these names. Creations are carried out, or never are.
func newUnanswered(t *testing.T, creates bool, names ...string) *unanswered {
	t.Helper()
	var cached corev1.PodList
	builder := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme)
	for _, name := range names {
		pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: "test", Name: name, Finalizers: []string{"test/stays"}, ResourceVersion: "1",
			OwnerReferences: []metav1.OwnerReference{{Kind: "QWorker", Name: "qw", UID: owner().UID, Controller: ptr.To(true)}},
		}}
		cached.Items = append(cached.Items, pod)
		builder = builder.WithObjects(pod.DeepCopy())
	}
	server := builder.Build()
	u := &unanswered{clock: clocktesting.NewFakeClock(time.Now()), server: server}
	c := interceptor.NewClient(server, interceptor.Funcs{
		List: func(_ context.Context, _ client.WithWatch, into client.ObjectList, _ ...client.ListOption) error {
			cached.DeepCopyInto(into.(*corev1.PodList))
			return nil
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, _ ...client.PatchOption) error {
			if err := c.Patch(ctx, o, patch); err != nil {
				return err
			}
			return errReset
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, _ ...client.DeleteOption) error {
			if err := c.Delete(ctx, o); err != nil {
				return err
			}
			return errReset
		},
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, _ ...client.CreateOption) error {
			if !creates {
				return errReset
			}
			return errors.Join(c.Create(ctx, o.DeepCopyObject().(client.Object)), errReset)
		},
	})
	u.Fleets = New(c, server, u.clock)
	return u
}

// states is what the next plan sees.
func (u *unanswered) states(t *testing.T) map[string]string {
	t.Helper()
	pods, err := u.Observe(t.Context(), owner())
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	for _, pod := range pods {
		states[pod.Name] = pod.Annotations[contract.AnnotationDrain]
		if pod.DeletionTimestamp != nil {
			states[pod.Name] = "terminating"
		}
	}
	return states
}

func (u *unanswered) apply(t *testing.T, a planner.Action) {
	t.Helper()
	pods, err := u.Observe(t.Context(), owner())
	if err != nil {
		t.Fatal(err)
	}
	_, err = u.Apply(t.Context(), owner(), pods, []planner.Action{a}, func(*corev1.Pod) string { return "worker" },
		func(a planner.Action) revision.Pod {
			return revision.Pod{Pod: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
				Namespace: "test", Name: a.Pod,
				OwnerReferences: []metav1.OwnerReference{{Kind: "QWorker", Name: "qw", UID: owner().UID, Controller: ptr.To(true)}},
			}}}
		})
	if !errors.Is(err, errReset) {
		t.Fatalf("the error is %v, want that of the missing answer", err)
	}
}

// A write whose answer does not arrive, and that the cache does not show, must be known to the next plan: it would choose
// another pod for the same purpose.
func TestALostAnswerIsAskedFor(t *testing.T) {
	cases := map[string]struct {
		action planner.Action
		want   map[string]string
	}{
		"a grant": {
			planner.Action{Kind: planner.GrantLeave, Pod: "a", Grant: contract.ReasonScaleDown},
			map[string]string{"a": "ScaleDown", "b": ""},
		},
		"SIGTERM": {
			planner.Action{Kind: planner.SignalLeave, Pod: "a"},
			map[string]string{"a": "terminating", "b": ""},
		},
		"a creation": {
			planner.Action{Kind: planner.Create, Pod: "c"},
			map[string]string{"a": "", "b": "", "c": ""},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			u := newUnanswered(t, true, "a", "b")
			u.apply(t, c.action)
			if diff := cmp.Diff(c.want, u.states(t)); diff != "" {
				t.Errorf("the next plan sees (-want +got):\n%s", diff)
			}
		})
	}
}

// What the API server says of a pod in doubt is what is known of it.
func TestWhatBecameOfAPodInDoubt(t *testing.T) {
	grant := planner.Action{Kind: planner.GrantLeave, Pod: "a", Grant: contract.ReasonScaleDown}
	cases := map[string]struct {
		action    planner.Action
		meanwhile func(server client.Client) error
		want      map[string]string
	}{
		"the pod is gone, and the cache still shows it": {
			grant, func(server client.Client) error {
				if err := server.Patch(t.Context(), podAt("a", ""), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))); err != nil {
					return err
				}
				return server.Delete(t.Context(), podAt("a", ""))
			},
			map[string]string{"a": "terminating", "b": ""},
		},
		"the pod has been orphaned, and the cache does not know": {
			grant, func(server client.Client) error {
				return server.Patch(t.Context(), podAt("a", ""), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"ownerReferences":null}}`)))
			},
			map[string]string{"a": "", "b": ""},
		},
		"the new pod is somebody else's": {
			planner.Action{Kind: planner.Create, Pod: "c"}, func(server client.Client) error {
				return server.Patch(t.Context(), podAt("c", ""), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"ownerReferences":null}}`)))
			},
			map[string]string{"a": "", "b": ""},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			u := newUnanswered(t, true, "a", "b")
			u.apply(t, c.action)
			if err := c.meanwhile(u.server); err != nil {
				t.Fatal(err)
			}
			for range 2 { // asked, and remembered
				if diff := cmp.Diff(c.want, u.states(t)); diff != "" {
					t.Errorf("the next plan sees (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// A new pod is as old as its creation, with an answer or without, and is the API server's as soon as that has one.
func TestAPodWithoutAnAnswerHasAnAge(t *testing.T) {
	for creates, version := range map[bool]string{false: "", true: "1"} {
		u := newUnanswered(t, creates)
		u.apply(t, planner.Action{Kind: planner.Create, Pod: "c"})
		created := u.clock.Now()
		u.clock.Step(time.Second)
		pods, err := u.Observe(t.Context(), owner())
		if err != nil || len(pods) != 1 {
			t.Fatalf("the pods are %v, %v", pods, err)
		}
		if pods[0].ResourceVersion != version || (!creates && !pods[0].CreationTimestamp.Time.Equal(created)) {
			t.Errorf("the pod is of %s and version %q, want %s and %q", pods[0].CreationTimestamp, pods[0].ResourceVersion, created, version)
		}
		if got, want := u.NextDoubt(owner().UID), created.Add(ownwrites.VerifyAfter); !creates && !got.Equal(want) {
			t.Errorf("it is asked for again at %s, want %s", got, want)
		}
	}
}

// A creation without an answer may be carried out a moment after the API server was asked about it.
func TestACreationThatIsUnderWayIsNotGivenUp(t *testing.T) {
	u := newUnanswered(t, false)
	u.apply(t, planner.Action{Kind: planner.Create, Pod: "c"})
	if diff := cmp.Diff(map[string]string{"c": ""}, u.states(t)); diff != "" {
		t.Errorf("before it is carried out (-want +got):\n%s", diff)
	}
	u.clock.Step(ownwrites.VerifyAfter)
	if diff := cmp.Diff(map[string]string{}, u.states(t)); diff != "" {
		t.Errorf("when it never was (-want +got):\n%s", diff)
	}
}

// A pod that is certainly not there must not be waited for as if it were.
func TestWhichFailuresLeaveDoubt(t *testing.T) {
	pods := corev1.Resource("pods")
	cases := map[string]struct {
		err  error
		want bool
	}{
		"no answer arrives":      {errReset, true},
		"a time-out":             {apierrors.NewTimeoutError("too slow", 1), true},
		"an internal error":      {apierrors.NewInternalError(errors.New("etcd")), true},
		"nobody listens":         {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, false},
		"it is refused":          {apierrors.NewForbidden(pods, "p", errors.New("no")), false},
		"an overload":            {apierrors.NewTooManyRequests("slow down", 1), false},
		"a webhook that is away": {apierrors.NewInternalError(errors.New(`failed calling webhook "a.b": context deadline exceeded`)), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := outcomeUnknown(c.err); got != c.want {
				t.Errorf("outcomeUnknown(%v) = %t", c.err, got)
			}
		})
	}
}
