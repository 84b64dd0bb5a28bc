package qworker

import (
	"context"
	"errors"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
)

// The canary that proves a revision may be gone a moment later. A revision that is published and not known to work
// protects nothing: the next one would be published untried, and workers that go by the hash would all leave.
func TestARevisionIsPublishedWithItsProof(t *testing.T) {
	errRefused := errors.New("refused")
	cases := map[string]struct {
		refused error
		publish string
		proven  bool
	}{
		"a canary is proof enough":           {nil, "r2", true},
		"without the proof it must wait yet": {errRefused, "", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s, stored := rollingOut(t, c.refused)
			if err := s.markRevisions(t.Context()); !errors.Is(err, c.refused) {
				t.Errorf("the error is %v, want %v", err, c.refused)
			}
			if s.decision.Publish != c.publish {
				t.Errorf("published is %q, want %q", s.decision.Publish, c.publish)
			}
			if got := stored(s.newest.Hash); got != c.proven {
				t.Errorf("proven is %t, want %t", got, c.proven)
			}
			if got := s.memory.proven == s.newest.Hash; got != c.proven {
				t.Errorf("remembered as proven is %t, want %t", got, c.proven)
			}
		})
	}
}

// rollingOut is a QWorker whose newest revision has an available canary, and what is stored of that revision.
func rollingOut(t *testing.T, refuse error) (rolling *scope, stored func(hash string) (proven bool)) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := appsv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	server := interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme).
		WithIndex(&appsv1.ControllerRevision{}, revision.OwnerIndex, revision.IndexByOwner).Build(), interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, opts ...client.PatchOption) error {
			if refuse != nil {
				return refuse
			}
			return c.Patch(ctx, o, patch, opts...)
		},
	})
	history := &revision.History{Client: server, Live: server}
	qw := &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "w", UID: "uid"}}
	content := revision.Content{PodSpec: corev1.PodSpec{Containers: []corev1.Container{{Name: "worker", Image: "worker:2"}}}}
	newest, err := history.Ensure(t.Context(), qw, nil, content)
	if err != nil {
		t.Fatal(err)
	}
	s := &scope{
		Reconciler: &Reconciler{history: history}, qw: qw, memory: newMemory(qw.UID),
		published: &revision.Revision{Hash: "r1", Proven: true}, newest: &newest,
		decision: planner.Decision{Stage: planner.Canary, Publish: "r2", Proven: true},
	}
	return s, func(hash string) bool {
		revisions, err := history.List(t.Context(), qw)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range revisions {
			if r.Hash == hash {
				return r.Proven
			}
		}
		t.Fatalf("the revision %s is not stored", hash)
		return false
	}
}
