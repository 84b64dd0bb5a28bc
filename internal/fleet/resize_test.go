package fleet

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// answers is a client whose resizes are answered with err.
type answers struct {
	client.Client
	err error
}

func (a answers) SubResource(string) client.SubResourceClient { return resizes{err: a.err} }

type resizes struct {
	client.SubResourceClient
	err error
}

func (r resizes) Patch(context.Context, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
	return r.err
}

func TestAPodThatHasChangedIsNotResized(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	for name, tc := range map[string]struct {
		err          error
		want, failed bool
	}{
		"resized":      {nil, true, false},
		"gone":         {apierrors.NewNotFound(pods, "p"), false, false},
		"another":      {apierrors.NewConflict(pods, "p", nil), false, false},
		"an API error": {apierrors.NewInternalError(context.Canceled), false, true},
	} {
		f := New(answers{err: tc.err}, nil, clock.RealClock{})
		got, err := f.Resize(t.Context(), &v1alpha1.QWorker{}, &corev1.Pod{}, nil)
		if got != tc.want || (err != nil) != tc.failed {
			t.Errorf("%s: %t, %v", name, got, err)
		}
	}
}
