package qworker

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
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

// storedQWorker is a QWorker as the API server has it.
type storedQWorker struct {
	client.Client
	*testing.T
}

func storeQWorker(t *testing.T, status v1alpha1.QWorkerStatus) storedQWorker {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	qw := &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "w", UID: "uid"}, Status: status}
	return storedQWorker{fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(qw).WithObjects(qw).Build(), t}
}

func (s storedQWorker) read() *v1alpha1.QWorker {
	s.Helper()
	var stored v1alpha1.QWorker
	if err := s.Get(s.Context(), types.NamespacedName{Namespace: "test", Name: "w"}, &stored); err != nil {
		s.Fatal(err)
	}
	return &stored
}

// round is one that has seen the QWorker so.
func (s storedQWorker) round(seen *v1alpha1.QWorker) *round {
	r := &Reconciler{client: s, clock: clock.RealClock{}, metrics: newMetrics(prometheus.NewRegistry()), qworkers: ownwrites.New[types.UID, *v1alpha1.QWorker]()}
	return newRound(r, seen, newMemory(seen.UID))
}

// A leader whose cache is behind must not take back what the one before it has published: workers that go by the hash
// would all leave.
func TestAStaleLeaderWritesNoStatus(t *testing.T) {
	server := storeQWorker(t, v1alpha1.QWorkerStatus{CurrentPodSpecHash: "old"})
	stale, published := server.read(), server.read()
	published.Status.CurrentPodSpecHash = "new"
	if err := server.Status().Update(t.Context(), published); err != nil {
		t.Fatal(err)
	}
	if err := server.round(stale).writeStatus(t.Context(), errors.New("creating a revision")); !apierrors.IsConflict(err) {
		t.Errorf("the error is %v, want a conflict", err)
	}
	if hash := server.read().Status.CurrentPodSpecHash; hash != "new" {
		t.Errorf("published is %q, want %q", hash, "new")
	}
}

// What is there no more goes from the stored status: unknown holders that were gone stayed in it, and each round wrote it.
func TestAStatusIsWrittenWhole(t *testing.T) {
	server := storeQWorker(t, v1alpha1.QWorkerStatus{
		DesiredReplicas: 1,
		Queue:           &v1alpha1.QueueStatus{},
		UnknownHolders:  &v1alpha1.UnknownHolders{Workers: 1},
		Recommendations: []v1alpha1.ContainerRecommendation{{Name: "worker"}},
	})
	if _, err := server.round(server.read()).object.writeStatus(t.Context(), &v1alpha1.QWorkerStatus{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(v1alpha1.QWorkerStatus{}, server.read().Status); diff != "" {
		t.Errorf("of an empty status is stored (-want +got):\n%s", diff)
	}
}
