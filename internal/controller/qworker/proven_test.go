package qworker

import (
	"context"
	"errors"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/ownwrites"
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
			if err := s.act(t.Context()); !errors.Is(err, c.refused) {
				t.Errorf("the error is %v, want %v", err, c.refused)
			}
			if s.publishes != c.publish {
				t.Errorf("published is %q, want %q", s.publishes, c.publish)
			}
			if got := stored(s.seen.revisions.newest.Hash); got != c.proven {
				t.Errorf("proven is %t, want %t", got, c.proven)
			}
		})
	}
}

// Without its proof a revision waits, and another decision takes the place of the publication. What that decision lets go is
// asked about first, as in any other: the reading before it may be old.
func TestWithoutTheProofNobodyIsLetGoOnAnOldReading(t *testing.T) {
	s, _ := rollingOut(t, errors.New("refused"))
	s.seen.config = &v1alpha1.ScalerConfig{}
	s.seen.pods = []*corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "p"}}}
	s.seen.states = []planner.Pod{{Name: "p", Revision: "r1", Phase: planner.Running, Ready: true}}
	s.seen.sightings.add("r1")
	s.memory.excessSince = s.seen.now.Add(-time.Hour)
	s.seen.reading = backlog.Reading{Known: true, Depth: broker.Depth{Held: map[string]int64{"p": 0}}}
	if s.plan(); s.decision.Withheld == 0 {
		t.Fatalf("by the old reading nobody would be let go: %+v", s.decision)
	}
	s.decision = planner.Decision{Stage: planner.Canary, Publish: "r2", Proven: true}
	if err := s.storeProofs(t.Context()); err == nil {
		t.Fatal("the proof is stored")
	}
	if asksWhoIsBusy(s.decision.Actions, s.seen.deleting()) || s.decision.Publish != "" {
		t.Errorf("without a fresh reading the decision is %+v, want nobody let go and nothing published", s.decision)
	}
}

// rollingOut is a QWorker whose newest revision has an available canary, and what is stored of that revision.
func rollingOut(t *testing.T, refuse error) (rolling *round, stored func(hash string) (proven bool)) {
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
	history := revision.NewHistory(server, server, clock.RealClock{})
	qw := &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "w", UID: "uid"}}
	content := revision.Content{PodSpec: corev1.PodSpec{Containers: []corev1.Container{{Name: "worker", Image: "worker:2"}}}}
	newest, err := history.Ensure(t.Context(), qw, nil, content, revision.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s := newRound(&Reconciler{
		clock: clock.RealClock{}, qworkers: ownwrites.New[types.UID, *v1alpha1.QWorker](),
		history: history, fleets: fleet.New(server, server, clock.RealClock{}), backlog: backlog.New(backlog.Options{}),
		resolver: connection.NewResolver(nil, server, server),
	}, qw, newMemory(qw.UID))
	s.seen.revisions = revisions{
		all: []revision.Revision{newest}, newest: &newest, published: &revision.Revision{Hash: "r1", Proven: true},
	}
	s.decision = planner.Decision{Stage: planner.Canary, Publish: "r2", Proven: true}
	return s, func(hash string) bool {
		stored, err := history.List(t.Context(), qw)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range stored {
			if r.Hash == hash {
				return r.Proven
			}
		}
		t.Fatalf("the revision %s is not stored", hash)
		return false
	}
}
