package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/bubbletest"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
)

var podResource = schema.GroupResource{Resource: "pods"}

func owner() *v1alpha1.QWorker {
	return &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "qw", UID: "the-uid"}}
}

// applied carries out n creations with an API server that answers each as create does.
func applied(t *testing.T, n int, create func(call int64) error) (done []planner.Action, calls int64, err error) {
	t.Helper()
	var count atomic.Int64
	c := interceptor.NewClient(fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).Build(), interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if err := create(count.Add(1)); err != nil {
				return err
			}
			return c.Create(ctx, o, opts...)
		},
	})
	f := New(c, c, clocktesting.NewFakeClock(metav1.Now().Time))
	var creations []planner.Action
	for i := range n {
		creations = append(creations, planner.Action{Kind: planner.Create, Pod: fmt.Sprint("pod-", i)})
	}
	done, err = f.Apply(t.Context(), owner(), nil, creations, nil, func(a planner.Action) revision.Pod {
		return revision.Pod{Pod: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: a.Pod}}}
	})
	return done, count.Load(), err
}

func TestCreationsStartSlowly(t *testing.T) {
	refused := apierrors.NewForbidden(podResource, "pod-0", errors.New("exceeded quota: pods"))
	cases := map[string]struct {
		create      func(call int64) error
		done, calls int
		err         string
	}{
		"all are accepted": {
			create: func(int64) error { return nil },
			done:   100, calls: 100,
		},
		"what refuses the first is not asked a hundred times": {
			create: func(int64) error { return refused },
			done:   0, calls: 1, err: "exceeded quota",
		},
		"the batch with the first refusal is the last, and who was created in it is known": {
			create: func(call int64) error {
				if call == 5 {
					return refused
				}
				return nil
			},
			done: 6, calls: 7, err: "exceeded quota", // 1 + 2 + 4
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			done, calls, err := applied(t, 100, c.create)
			if len(done) != c.done || int(calls) != c.calls {
				t.Errorf("%d created by %d requests, want %d by %d", len(done), calls, c.done, c.calls)
			}
			if (err == nil) != (c.err == "") || (err != nil && !strings.Contains(err.Error(), c.err)) {
				t.Errorf("the error is %v, want one with %q", err, c.err)
			}
		})
	}
}

// Each try has another pod's name; the condition that reports the refusal must not change with it.
func TestTheSameRefusalIsTheSameMessage(t *testing.T) {
	messages := map[string]bool{}
	for range 3 {
		_, _, err := applied(t, 1, func(int64) error {
			return apierrors.NewForbidden(podResource, "pod-0", errors.New("exceeded quota: pods"))
		})
		messages[err.Error()] = true
	}
	if len(messages) != 1 || strings.Contains(fmt.Sprint(messages), "pod-0") {
		t.Errorf("the messages are %v, want one without the pod's name", messages)
	}
}

// A pod that has changed since it was looked at is left to the next plan: that is no error, and not done.
func TestWhatHasChangedIsLeftToTheNextPlan(t *testing.T) {
	old := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "pod", UID: "pod-uid", ResourceVersion: "1"}}
	for name, failure := range map[string]error{
		"it has changed": apierrors.NewConflict(podResource, "pod", errors.New("the object has been modified")),
		"it is gone":     apierrors.NewNotFound(podResource, "pod"),
	} {
		t.Run(name, func(t *testing.T) {
			c := interceptor.NewClient(fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).Build(), interceptor.Funcs{
				Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
					return failure
				},
			})
			f := New(c, c, clocktesting.NewFakeClock(metav1.Now().Time))
			done, err := f.Apply(t.Context(), owner(), []*corev1.Pod{old},
				[]planner.Action{{Kind: planner.GrantLeave, Pod: "pod", Grant: "ScaleDown"}},
				func(*corev1.Pod) string { return "worker" }, nil)
			if len(done) != 0 || err != nil {
				t.Errorf("done %v, error %v; want neither", done, err)
			}
		})
	}
}

// What was done is told in the order of the plan, and not in that of the answers.
func TestDoneInTheOrderOfThePlan(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		actions := []planner.Action{{Pod: "slow"}, {Pod: "stale"}, {Pod: "quick"}}
		done, err := inParallel(actions, func(a planner.Action) error {
			switch a.Pod {
			case "slow":
				<-time.After(time.Second) // of the bubble
			case "stale":
				return errStale
			}
			return nil
		})
		if diff := cmp.Diff([]planner.Action{actions[0], actions[2]}, done); diff != "" || err != nil {
			t.Errorf("done (-want +got), error %v:\n%s", err, diff)
		}
	})
}
