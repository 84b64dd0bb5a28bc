package qworker

import (
	"context"
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/controller/qworker/report"
	"github.com/quickube/qscaler/internal/ownwrites"
)

// What cannot be read is not what was refused: who looks for a refused write would look in vain.
func TestAFailedReadIsCalledOne(t *testing.T) {
	away := interceptor.NewClient(fake.NewClientBuilder().Build(), interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return apierrors.NewServiceUnavailable("away")
		},
	})
	s := newRound(&Reconciler{client: away, clock: clock.RealClock{}, qworkers: ownwrites.New[types.UID, *v1alpha1.QWorker]()}, &v1alpha1.QWorker{}, newMemory("uid"))
	failure := s.reconcile(t.Context())
	s.fillStatus(failure)
	if c := meta.FindStatusCondition(s.seen.status.Conditions, v1alpha1.ConditionReady); c == nil || c.Reason != report.ReasonReadFailed {
		t.Errorf("after %v Ready is %+v, want %s", failure, c, report.ReasonReadFailed)
	}
	if !apierrors.IsServiceUnavailable(failure) {
		t.Errorf("the API server's error is not to be seen any more in %#v", failure)
	}
	if c := problemOf(errors.New("patching pod p, no")); c.Reason != report.ReasonWriteFailed {
		t.Errorf("after a failed write Ready is %s, want %s", c.Reason, report.ReasonWriteFailed)
	}
}
