package qworker

import (
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/ownwrites"
)

// A leader whose cache is behind must not take back what the one before it has published: workers that go by the hash
// would all leave.
func TestAStaleLeaderWritesNoStatus(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	qw := &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "w", UID: "uid"}}
	qw.Status.CurrentPodSpecHash = "old"
	server := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(qw).WithObjects(qw).Build()
	read := func() *v1alpha1.QWorker {
		var stored v1alpha1.QWorker
		if err := server.Get(t.Context(), client.ObjectKeyFromObject(qw), &stored); err != nil {
			t.Fatal(err)
		}
		return &stored
	}
	stale := read()
	published := read()
	published.Status.CurrentPodSpecHash = "new"
	if err := server.Status().Update(t.Context(), published); err != nil {
		t.Fatal(err)
	}

	r := &Reconciler{client: server, clock: clock.RealClock{}, metrics: newMetrics(prometheus.NewRegistry()), qworkers: ownwrites.New[types.UID, *v1alpha1.QWorker]()}
	s := newRound(r, stale, newMemory(stale.UID))
	if err := s.writeStatus(t.Context(), errors.New("creating a revision")); !apierrors.IsConflict(err) {
		t.Errorf("the error is %v, want a conflict", err)
	}
	if hash := read().Status.CurrentPodSpecHash; hash != "new" {
		t.Errorf("published is %q, want %q", hash, "new")
	}
}
