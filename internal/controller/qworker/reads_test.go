package qworker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/bubbletest"
)

// eventful is a world in which an operator that has just started has much to do.
type eventful struct {
	// minimum is the QWorker's. Messages make up for what is missing to three workers.
	minimum int32
	// works is true where three workers have come before, and are idle.
	works bool
	// change is what then happens before the operator under test starts.
	change func(*readWorld)
	// does is what the operator is to write sooner or later, as a sign that the world is not a dull one.
	does string
}

func eventfulWorlds() map[string]eventful {
	return map[string]eventful{
		"messages wait":                      {0, false, func(w *readWorld) { w.waiting = 3 }, "create *v1.Pod"},
		"the answer to a creation gets lost": {2, false, func(w *readWorld) { w.loses = true }, "create *v1.Pod"},
		"no message waits any more":          {0, true, func(*readWorld) {}, "delete *v1.Pod"},
		"another revision": {3, true, func(w *readWorld) {
			qw := w.qworker()
			qw.Generation, qw.Spec.PodSpec.Containers[0].Image = 2, "worker:2"
			w.must(w.server.Update(w.Context(), qw))
		}, "create *v1.Pod"},
		"a node that goes": {3, true, func(w *readWorld) {
			pod := w.pods()[0]
			pod.Spec.NodeName = "node"
			w.must(w.server.Update(w.Context(), &pod))
			w.must(w.server.Update(w.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node"}, Spec: corev1.NodeSpec{Unschedulable: true}}))
		}, "create *v1.Pod"},
		"it is deleted": {3, true, func(w *readWorld) { w.must(w.server.Delete(w.Context(), w.qworker())) }, "delete *v1.Pod"},
	}
}

// begin lives through what comes before the change, once for all worlds of this kind, and returns what makes one of them.
func (c eventful) begin(t *testing.T) (start func(*testing.T) *readWorld) {
	t.Helper()
	objects := []client.Object{readConfig(), readQWorker(c.minimum)}
	var took time.Duration
	if c.works {
		bubbletest.Run(t, func(t *testing.T) {
			w := newReadWorld(t, append(objects, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node"}})...)
			w.waiting = int64(3 - c.minimum)
			began := time.Now()
			w.operate()
			objects, took = w.objects(), time.Since(began)
		})
	}
	return func(t *testing.T) *readWorld {
		t.Helper()
		w := newReadWorld(t, objects...)
		<-time.After(took) // of the bubble, whose clock begins anew
		c.change(w)
		return w
	}
}

// Each read of an operator that has just started fails once, in worlds in which much is to be done. The reconciliation then
// ends with an error. On what it has not read nothing is created, deleted, granted or published. The next reconciliation
// goes on as if nothing had been, and in the end everything is as it is without the failure.
func TestEachReadFails(t *testing.T) {
	for name, c := range eventfulWorlds() {
		t.Run(name, func(t *testing.T) {
			var (
				want  string
				reads int
			)
			start := c.begin(t)
			bubbletest.Run(t, func(t *testing.T) {
				w := start(t)
				w.operate()
				want, reads = w.picture(), w.reads
				if !slices.ContainsFunc(w.writes, func(write string) bool { return strings.HasPrefix(write, c.does) }) {
					t.Errorf("the operator has written %q, want %s as well", w.writes, c.does)
				}
			})
			for n := 1; n <= reads; n++ {
				t.Run(fmt.Sprint(n), func(t *testing.T) {
					bubbletest.Run(t, func(t *testing.T) {
						w := start(t)
						w.fails = n
						w.operate()
						if w.failed == "" {
							t.Fatalf("there were %d reads, and no failure", w.reads)
						}
						if diff := cmp.Diff(want, w.picture()); diff != "" {
							t.Errorf("in the end, after %s has failed (-without +got):\n%s", w.failed, diff)
						}
					})
				})
			}
		})
	}
}

// Whoever a change concerns cannot be listed: then it may concern everybody that there is. Nobody would be woken for it
// again.
func TestAChangeOfWhichNobodyKnowsWhomItConcerns(t *testing.T) {
	away := errors.New("away")
	r := &Reconciler{
		client: interceptor.NewClient(fake.NewClientBuilder().Build(), interceptor.Funcs{
			List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return away },
		}),
		memories: memories{m: map[types.NamespacedName]*memory{}},
	}
	for _, name := range []types.NamespacedName{{Namespace: "a", Name: "one"}, {Namespace: "a", Name: "two"}, {Namespace: "b", Name: "one"}} {
		r.memories.of(name, types.UID(name.String()))
	}
	woken := func(by func(context.Context, client.Object) []string) []string {
		names := by(ctrl.LoggerInto(t.Context(), logr.Discard()), &v1alpha1.ScalerConfig{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "x"}})
		slices.Sort(names)
		return names
	}
	users := woken(func(ctx context.Context, o client.Object) (names []string) {
		for _, request := range r.usersOf(ctx, o) {
			names = append(names, request.String())
		}
		return names
	})
	if diff := cmp.Diff([]string{"a/one", "a/two"}, users); diff != "" {
		t.Errorf("for a ScalerConfig (-want +got):\n%s", diff)
	}
	tenants := woken(func(ctx context.Context, o client.Object) (names []string) {
		for _, request := range r.tenantsOf(ctx, o) {
			names = append(names, request.String())
		}
		return names
	})
	if diff := cmp.Diff([]string{"a/one", "a/two", "b/one"}, tenants); diff != "" {
		t.Errorf("for a node (-want +got):\n%s", diff)
	}
}
