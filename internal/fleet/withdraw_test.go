package fleet

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/worker/contract"
)

// A worker that is to stay, and cannot be told, may leave: as many of those that are too many stay in its place.
func TestAGrantThatCannotBeWithdrawnLetsNobodyElseGo(t *testing.T) {
	away := errors.New("too many requests")
	actions := []planner.Action{
		{Kind: planner.GrantLeave, Pod: "obsolete", Grant: contract.ReasonRollout},
		{Kind: planner.GrantLeave, Pod: "first", Grant: contract.ReasonScaleDown},
		{Kind: planner.WithdrawGrant, Pod: "stays"},
		{Kind: planner.GrantLeave, Pod: "second", Grant: contract.ReasonScaleDown},
	}
	for name, c := range map[string]struct {
		fails error
		want  []string
	}{
		"it is withdrawn": {nil, []string{"stays", "obsolete", "first", "second"}},
		"it is not":       {away, []string{"obsolete", "first"}},
	} {
		t.Run(name, func(t *testing.T) {
			var pods []*corev1.Pod
			builder := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme)
			for _, a := range actions {
				pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: a.Pod, ResourceVersion: "7"}}
				pods, builder = append(pods, pod), builder.WithObjects(pod.DeepCopy())
			}
			api := interceptor.NewClient(builder.Build(), interceptor.Funcs{
				Patch: func(ctx context.Context, inner client.WithWatch, o client.Object, patch client.Patch, options ...client.PatchOption) error {
					if o.GetName() == "stays" && c.fails != nil {
						return c.fails
					}
					return inner.Patch(ctx, o, patch, options...)
				},
			})
			f := New(api, api, clocktesting.NewFakeClock(time.Unix(0, 0)))
			worker := func(*corev1.Pod) string { return "worker" }
			done, err := f.Apply(t.Context(), owner(), pods, actions, worker, nil)
			if !errors.Is(err, c.fails) {
				t.Errorf("it fails with %v, want %v", err, c.fails)
			}
			var names []string
			for _, a := range done {
				names = append(names, a.Pod)
			}
			if diff := cmp.Diff(c.want, names); diff != "" {
				t.Errorf("done (-want +got):\n%s", diff)
			}
		})
	}
}

// As many are left out as there are to be, the last ones first, and none that leave for another reason.
func TestWhoIsNotLetGo(t *testing.T) {
	first := planner.Action{Kind: planner.GrantLeave, Pod: "first", Grant: contract.ReasonScaleDown}
	obsolete := planner.Action{Kind: planner.GrantLeave, Pod: "obsolete", Grant: contract.ReasonRollout}
	last := planner.Action{Kind: planner.GrantLeave, Pod: "last", Grant: contract.ReasonScaleDown}
	all := []planner.Action{first, obsolete, last}
	for n, want := range [][]planner.Action{all, {first, obsolete}, {obsolete}, {obsolete}} {
		if diff := cmp.Diff(want, withoutScaleDowns(all, n)); diff != "" {
			t.Errorf("without %d (-want +got):\n%s", n, diff)
		}
	}
}
