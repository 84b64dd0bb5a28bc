package qworker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/ownwrites"
)

// A QWorker is let go where the operator has no rights for long, and only in a namespace that is being deleted: in one
// that stays, the rights may come back, and its workers' tasks with them.
func TestLettingGoWithoutRights(t *testing.T) {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", nil)
	away := errors.New("the API server is away")
	for name, c := range map[string]struct {
		// forbiddenFor is for how long rights have been missing.
		forbiddenFor time.Duration
		stays        bool
		review       authorizationv1.SubjectAccessReviewStatus
		unreadable   error
		gone         bool
		// waits is true where the time of the refusals goes on.
		waits bool
	}{
		"a namespace that is being deleted":                {forbiddenFor: rightsTimeout, gone: true, waits: true},
		"a moment earlier":                                 {forbiddenFor: rightsTimeout - 1, waits: true},
		"a namespace that stays":                           {forbiddenFor: rightsTimeout, stays: true},
		"the namespace cannot be read":                     {forbiddenFor: rightsTimeout, unreadable: away},
		"the rights are back":                              {forbiddenFor: rightsTimeout, review: authorizationv1.SubjectAccessReviewStatus{Allowed: true}},
		"the API server has yet to read some of the roles": {forbiddenFor: rightsTimeout, review: authorizationv1.SubjectAccessReviewStatus{EvaluationError: "role not found"}},
	} {
		t.Run(name, func(t *testing.T) {
			scheme := runtime.NewScheme()
			for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, corev1.AddToScheme, authorizationv1.AddToScheme} {
				if err := add(scheme); err != nil {
					t.Fatal(err)
				}
			}
			deleted := metav1.NewTime(noon)
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "test", Finalizers: []string{"kubernetes"}, DeletionTimestamp: &deleted}}
			if c.stays {
				namespace.DeletionTimestamp = nil
			}
			qw := &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{
				Namespace: "test", Name: "w", UID: "uid", Finalizers: []string{"other/one", v1alpha1.Finalizer}, DeletionTimestamp: &deleted,
			}}
			server := interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme).WithObjects(namespace, qw).Build(), interceptor.Funcs{
				Create: func(ctx context.Context, w client.WithWatch, o client.Object, opts ...client.CreateOption) error {
					if review, ok := o.(*authorizationv1.SelfSubjectAccessReview); ok {
						review.Status = c.review
						return nil
					}
					return w.Create(ctx, o, opts...)
				},
				Get: func(ctx context.Context, w client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
					if _, ok := o.(*metav1.PartialObjectMetadata); ok && c.unreadable != nil {
						return c.unreadable
					}
					return w.Get(ctx, key, o, opts...)
				},
			})
			m := newMemory(qw.UID)
			m.forbiddenSince = noon.Add(-c.forbiddenFor)
			r := newRound(&Reconciler{
				client: server, live: server, clock: clocktesting.NewFakeClock(noon), qworkers: ownwrites.New[types.UID, *v1alpha1.QWorker](),
			}, qw, m)

			err := r.letGoWithoutRights(t.Context(), forbidden)

			if wantErr := !c.gone; errors.Is(err, forbidden) != wantErr || (c.unreadable != nil && !errors.Is(err, c.unreadable)) {
				t.Errorf("the error is %v", err)
			}
			if r.gone != c.gone {
				t.Errorf("gone is %t, want %t", r.gone, c.gone)
			}
			if waits := !m.forbiddenSince.IsZero(); waits != c.waits {
				t.Errorf("it is forbidden since %v", m.forbiddenSince)
			}
			want := []string{"other/one", v1alpha1.Finalizer}
			if c.gone {
				want = want[:1]
			}
			var stored v1alpha1.QWorker
			if err := server.Get(t.Context(), client.ObjectKeyFromObject(qw), &stored); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, stored.Finalizers); diff != "" {
				t.Errorf("finalizers (-want +got):\n%s", diff)
			}
		})
	}
}
