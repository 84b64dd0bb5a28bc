package fleet

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
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

// discovered counts how often it is asked what the cluster serves.
type discovered struct {
	discovery.ServerResourcesInterface
	resources []metav1.APIResource
	err       error
	asked     int
}

func (d *discovered) ServerResourcesForGroupVersion(string) (*metav1.APIResourceList, error) {
	d.asked++
	return &metav1.APIResourceList{APIResources: d.resources}, d.err
}

func TestTheClusterIsAskedOnceWhetherItResizes(t *testing.T) {
	for can, resources := range map[bool][]metav1.APIResource{false: {{Name: "pods"}, {Name: "pods/eviction"}}, true: {{Name: "pods"}, {Name: "pods/resize"}}} {
		d := &discovered{resources: resources, err: context.DeadlineExceeded}
		r := NewResizable(d)
		if _, err := r.Ask(); err == nil {
			t.Error("there was no answer, and no error")
		}
		d.err = nil
		for range 3 {
			if got, err := r.Ask(); got != can || err != nil {
				t.Errorf("%t, %v; want %t", got, err, can)
			}
		}
		if d.asked != 2 {
			t.Errorf("asked %d times, want once more after the error", d.asked)
		}
	}
}
