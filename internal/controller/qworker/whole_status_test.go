package qworker

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/ownwrites"
)

// What is there no more goes from the stored status: unknown holders that were gone stayed in it, and each round wrote it.
func TestAStatusIsWrittenWhole(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	qw := &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "w", UID: "uid"}}
	qw.Status = v1alpha1.QWorkerStatus{
		DesiredReplicas: 1,
		Queue:           &v1alpha1.QueueStatus{},
		UnknownHolders:  &v1alpha1.UnknownHolders{Workers: 1},
		Recommendations: []v1alpha1.ContainerRecommendation{{Name: "worker"}},
	}
	server := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(qw).WithObjects(qw).Build()
	var stored v1alpha1.QWorker
	if err := server.Get(t.Context(), client.ObjectKeyFromObject(qw), &stored); err != nil {
		t.Fatal(err)
	}
	r := &Reconciler{client: server, clock: clock.RealClock{}, metrics: newMetrics(prometheus.NewRegistry()), qworkers: ownwrites.New[types.UID, *v1alpha1.QWorker]()}
	round := newRound(r, &stored, newMemory(stored.UID))
	if _, err := round.object.writeStatus(t.Context(), &v1alpha1.QWorkerStatus{}); err != nil {
		t.Fatal(err)
	}
	if err := server.Get(t.Context(), client.ObjectKeyFromObject(qw), &stored); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(v1alpha1.QWorkerStatus{}, stored.Status); diff != "" {
		t.Errorf("of an empty status is stored (-want +got):\n%s", diff)
	}
}
