package connection

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/quickube/qscaler/internal/broker"
)

func TestClaims(t *testing.T) {
	namespace := func(name, uid string) client.Object {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(uid)}}
	}
	asked, refuse := 0, error(nil)
	store := fake.NewClientBuilder().WithObjects(namespace("kube-system", "cluster"), namespace("a", "uid-a"), namespace("b", "uid-b")).
		WithInterceptorFuncs(interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			asked++
			if refuse != nil {
				return refuse
			}
			return c.Get(ctx, key, o, opts...)
		}}).Build()
	for name, c := range map[string]struct {
		namespaced bool
		want       []string
		asks       int
	}{
		"an operator of the whole cluster has one claim":  {false, []string{"cluster", "cluster", "cluster"}, 1},
		"an operator of some namespaces has one for each": {true, []string{"uid-a", "uid-b", "uid-a"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			claims := &Claims{Live: store, Process: "p", Namespaced: c.namespaced}
			asked, refuse = 0, errors.New("forbidden")
			if claim, err := claims.Of(t.Context(), "a"); !errors.Is(err, refuse) || claim != (broker.Claim{}) || !strings.Contains(err.Error(), "the verb get") {
				t.Errorf("%+v, %v; want the refusal and the remedy", claim, err)
			}
			asked, refuse = 0, nil
			var got []string
			for _, namespace := range []string{"a", "b", "a"} {
				claim, err := claims.Of(t.Context(), namespace)
				if err != nil || claim.Process != "p" {
					t.Errorf("%+v, %v", claim, err)
				}
				got = append(got, claim.Cluster)
			}
			if diff := cmp.Diff(c.want, got); diff != "" || asked != c.asks {
				t.Errorf("the API server was asked %d times, want %d; clusters (-want +got):\n%s", asked, c.asks, diff)
			}
		})
	}
}
