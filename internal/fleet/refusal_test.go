package fleet

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestOnlyARefusalIsAVerdict(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	cases := map[string]struct {
		err  error
		want bool
	}{
		"pod security":           {apierrors.NewForbidden(pods, "p", errors.New("violates PodSecurity")), true},
		"an invalid pod":         {apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "p", nil), true},
		"a webhook that denies":  {&apierrors.StatusError{ErrStatus: metav1.Status{Code: 400, Message: `admission webhook "a.b" denied the request: no`}}, true},
		"a webhook that is away": {apierrors.NewInternalError(errors.New(`failed calling webhook "a.b"`)), false},
		"too many requests":      {apierrors.NewTooManyRequests("slow down", 1), false},
		"a time-out":             {apierrors.NewServerTimeout(pods, "create", 1), false},
		"a broken connection":    {errors.New("http2: client connection lost"), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := CreationRefused(&CreateError{Revision: "r", pod: "p", err: c.err}); got != c.want {
				t.Errorf("CreationRefused(%v) = %t", c.err, got)
			}
		})
	}
}

// A pod is refused for what it is, or for what has nothing to do with it.
func TestWhatARefusalIsAbout(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	ending := apierrors.NewForbidden(pods, "p", errors.New("unable to create new content in namespace n because it is being terminated"))
	ending.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"pod security":   {apierrors.NewForbidden(pods, "p", errors.New("violates PodSecurity")), true},
		"an invalid pod": {apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "p", nil), true},
		"a quota":        {apierrors.NewForbidden(pods, "p", errors.New("exceeded quota: q, requested: pods=1")), false},
		"a right that is missing": {
			apierrors.NewForbidden(pods, "", errors.New(`User "operator" cannot create resource "pods" in API group "" in the namespace "n"`)), false,
		},
		"a namespace that is being deleted": {ending, false},
		"a webhook that is away":            {apierrors.NewInternalError(errors.New(`failed calling webhook "a.b"`)), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := PodRefused(NewCreateError("r", "p", c.err)); got != c.want {
				t.Errorf("PodRefused(%v) = %t", c.err, got)
			}
		})
	}
	if CreationRefused(nil) || PodRefused(nil) {
		t.Error("a pod that is created is refused")
	}
}
