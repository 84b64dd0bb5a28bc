package sizing

import (
	"context"
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Whatever the metrics API answers, a person is told what to do, and that scaling goes on.
func TestMetricsRemedy(t *testing.T) {
	pods := schema.GroupResource{Group: "metrics.k8s.io", Resource: "pods"}
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"not installed":   {apierrors.NewGenericServerResponse(404, "list", schema.GroupResource{}, "", "404 page not found", 0, true), "install the metrics-server: kubectl apply -f https://"},
		"installed, down": {apierrors.NewServiceUnavailable("the server is currently unable to handle the request"), "kubectl get apiservice v1beta1.metrics.k8s.io: the server is"},
		"no right":        {apierrors.NewForbidden(pods, "", errors.New("no")), "config/rbac"},
		"hangs":           {context.DeadlineExceeded, "kubectl get apiservice"},
	} {
		t.Run(name, func(t *testing.T) {
			got := metricsRemedy(tc.err)
			if !strings.Contains(got, tc.want) || !strings.Contains(got, "scaled as before") {
				t.Errorf("%q, want %q in it", got, tc.want)
			}
		})
	}
}
