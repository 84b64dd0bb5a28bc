package connection

import (
	"context"
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/broker"
)

func TestHadRival(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		reason string
		other  string // the name of the ScalerConfig that is asked for
		want   bool
	}{
		"another operator returns tasks": {reason: string(broker.ReasonOtherOperator), want: true},
		"the user may not claim":         {reason: string(broker.ReasonPermissionDenied)},
		"this operator returns tasks":    {},
		"there is no such ScalerConfig":  {reason: string(broker.ReasonOtherOperator), other: "none"},
	} {
		t.Run(name, func(t *testing.T) {
			sc := &v1alpha1.ScalerConfig{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "redis"}}
			if c.reason != "" {
				sc.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReclaims, Status: metav1.ConditionFalse, Reason: c.reason}}
			}
			api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(sc).Build()
			spec := Spec{Name: "redis"}
			if c.other != "" {
				spec.Name = c.other
			}
			if got := NewResolver(nil, api, api).HadRival("ns", spec); got != c.want {
				t.Errorf("HadRival = %t, want %t", got, c.want)
			}
			unread := interceptor.NewClient(api, interceptor.Funcs{Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
				return errors.New("unread")
			}})
			if !NewResolver(nil, unread, api).HadRival("ns", spec) {
				t.Error("HadRival = false where nobody knows, want true")
			}
		})
	}
}
