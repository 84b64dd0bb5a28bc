package fleet

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

func podAt(name, version string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "test", Name: name, ResourceVersion: version, Labels: map[string]string{Selector: "uid"},
	}}
}

func readerOf(pods ...client.Object) client.WithWatch {
	return fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(pods...).Build()
}

// A new leader waits until its cache shows what the leader before it wrote.
func TestTakeoverWaitsForTheCache(t *testing.T) {
	cases := map[string]struct {
		cached []client.Object
		live   []client.Object
		done   bool
	}{
		"nothing was there":                           {done: true},
		"the cache is current":                        {[]client.Object{podAt("a", "7")}, []client.Object{podAt("a", "7")}, true},
		"the cache is ahead":                          {[]client.Object{podAt("a", "8")}, []client.Object{podAt("a", "7")}, true},
		"the cache lacks the last pod":                {nil, []client.Object{podAt("a", "7")}, false},
		"the cache lacks the last grant":              {[]client.Object{podAt("a", "6")}, []client.Object{podAt("a", "7")}, false},
		"the cache has what is gone":                  {[]client.Object{podAt("a", "6")}, nil, true},
		"versions are numbers, not strings: 9 is old": {[]client.Object{podAt("a", "9")}, []client.Object{podAt("a", "10")}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			done, err := NewTakeover(readerOf(c.cached...), readerOf(c.live...), nil).Done(t.Context())
			if err != nil || done != c.done {
				t.Errorf("done is %t (%v), want %t", done, err, c.done)
			}
		})
	}
}

// A pod that the cache never showed and that is gone by now is waited for no longer.
func TestTakeoverDoesNotWaitForWhatIsGone(t *testing.T) {
	live := readerOf(podAt("a", "7"))
	takeover := NewTakeover(readerOf(), live, []string{"test"})
	if done, err := takeover.Done(t.Context()); done || err != nil {
		t.Fatalf("done is %t (%v) while the cache lacks a pod", done, err)
	}
	if err := live.Delete(t.Context(), podAt("a", "")); err != nil {
		t.Fatal(err)
	}
	if done, err := takeover.Done(t.Context()); !done || err != nil {
		t.Errorf("done is %t (%v), and the pod is gone", done, err)
	}
}

// A list that failed is not an empty list.
func TestTakeoverListsAgainAfterAFailure(t *testing.T) {
	away := errors.New("the API server is away")
	live := interceptor.NewClient(readerOf(podAt("a", "7")), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if away != nil {
				return away
			}
			return c.List(ctx, list, opts...)
		},
	})
	takeover := NewTakeover(readerOf(), live, nil)
	if done, err := takeover.Done(t.Context()); done || !errors.Is(err, away) {
		t.Fatalf("done is %t (%v) while the list fails", done, err)
	}
	away = nil
	if done, err := takeover.Done(t.Context()); done || err != nil {
		t.Errorf("done is %t (%v) while the cache lacks a pod", done, err)
	}
}
