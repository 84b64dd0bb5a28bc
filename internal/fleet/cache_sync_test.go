package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
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

func revisionAt(name, version string) *appsv1.ControllerRevision {
	return &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{
		Namespace: "test", Name: name, ResourceVersion: version, Labels: map[string]string{Selector: "uid"},
	}}
}

func readerOf(pods ...client.Object) client.WithWatch {
	return fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(pods...).Build()
}

// A new leader waits until its cache shows what the leader before it wrote.
func TestANewLeaderWaitsForTheCache(t *testing.T) {
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
		"the cache lacks a revision":                  {[]client.Object{podAt("a", "7")}, []client.Object{podAt("a", "7"), revisionAt("r", "7")}, false},
		"the cache has the revision":                  {[]client.Object{revisionAt("r", "7")}, []client.Object{revisionAt("r", "7")}, true},
		"the cache has what is gone":                  {[]client.Object{podAt("a", "6")}, nil, true},
		"versions are numbers, not strings: 9 is old": {[]client.Object{podAt("a", "9")}, []client.Object{podAt("a", "10")}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			done, err := NewCacheSync(readerOf(c.cached...), readerOf(c.live...), nil).Done(t.Context(), "test")
			if err != nil || done != c.done {
				t.Errorf("done is %t (%v), want %t", done, err, c.done)
			}
		})
	}
}

// A pod that the cache never showed and that is gone by now is waited for no longer.
func TestANewLeaderDoesNotWaitForAPodThatIsGone(t *testing.T) {
	live := readerOf(podAt("a", "7"))
	sync := NewCacheSync(readerOf(), live, []string{"test"})
	if done, err := sync.Done(t.Context(), "test"); done || err != nil {
		t.Fatalf("done is %t (%v) while the cache lacks a pod", done, err)
	}
	if err := live.Delete(t.Context(), podAt("a", "")); err != nil {
		t.Fatal(err)
	}
	if done, err := sync.Done(t.Context(), "test"); !done || err != nil {
		t.Errorf("done is %t (%v), and the pod is gone", done, err)
	}
}

// asked is a cache and an API server that note what they are asked. The API server lists one pod a page.
type asked struct {
	calls []string
	fails map[string]error // by call
}

func (a *asked) note(format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	a.calls = append(a.calls, call)
	return a.fails[call]
}

func (a *asked) reader(name string, of client.WithWatch) client.Reader {
	return interceptor.NewClient(of, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
			if err := a.note("%s has %s", name, key); err != nil {
				return err
			}
			return c.Get(ctx, key, o, options...)
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			query := (&client.ListOptions{}).ApplyOptions(options)
			page := list.(*metav1.PartialObjectMetadataList)
			if err := a.note("%s lists %s in %q from %q, at most %d", name, page.Kind, query.Namespace, query.Continue, query.Limit); err != nil {
				return err
			}
			if err := c.List(ctx, list, options...); err != nil {
				return err
			}
			from, _ := strconv.Atoi(query.Continue)
			if page.Items = page.Items[min(from, len(page.Items)):]; len(page.Items) > 1 {
				page.Items, page.Continue = page.Items[:1], strconv.Itoa(from+1)
			}
			return nil
		},
	})
}

// A namespace has three pages of pods. The cache lacks the last pod, and that of another namespace.
func (a *asked) newLeader() *CacheSync {
	first, second, last, other := podAt("a", "7"), podAt("b", "7"), podAt("c", "7"), podAt("d", "7")
	other.Namespace = "other"
	cached := a.reader("the cache", readerOf(first, second))
	return NewCacheSync(cached, a.reader("the API server", readerOf(first, second, last, other)), []string{"test", "other"})
}

var (
	listing = []string{
		`the API server lists PodList in "test" from "", at most 1000`, `the API server lists PodList in "test" from "1", at most 1000`,
		`the API server lists PodList in "test" from "2", at most 1000`, `the API server lists ControllerRevisionList in "test" from "", at most 1000`,
	}
	lookingAtAll  = []string{"the cache has test/a", "the cache has test/b"}
	lookingAtLast = []string{"the cache has test/c", "the API server has test/c"}
)

// The list is read once, and what the cache has shown is not looked for again.
func TestANewLeaderAsksForEachThingOnce(t *testing.T) {
	var a asked
	sync := a.newLeader()
	for _, want := range [][]string{slices.Concat(listing, lookingAtAll, lookingAtLast), lookingAtLast, lookingAtLast} {
		a.calls = nil
		if done, err := sync.Done(t.Context(), "test"); done || err != nil {
			t.Errorf("done is %t (%v) while the cache lacks a pod", done, err)
		}
		if diff := cmp.Diff(want, a.calls); diff != "" {
			t.Errorf("it asks (-want +got):\n%s", diff)
		}
	}
}

// A list that failed is not an empty list, and a pod that cannot be read is not one that is shown, or gone.
func TestANewLeaderAsksAgainAfterAFailure(t *testing.T) {
	away := errors.New("the API server is away")
	cases := map[string][]string{ // what is asked again, by what failed first
		listing[0]:       slices.Concat(listing, lookingAtAll, lookingAtLast),
		listing[1]:       slices.Concat(listing, lookingAtAll, lookingAtLast),
		listing[2]:       slices.Concat(listing, lookingAtAll, lookingAtLast),
		listing[3]:       slices.Concat(listing, lookingAtAll, lookingAtLast),
		lookingAtAll[1]:  slices.Concat(lookingAtAll[1:], lookingAtLast),
		lookingAtLast[0]: lookingAtLast,
		lookingAtLast[1]: lookingAtLast,
	}
	for failing, want := range cases {
		t.Run(failing, func(t *testing.T) {
			a := asked{fails: map[string]error{failing: away}}
			sync := a.newLeader()
			if done, err := sync.Done(t.Context(), "test"); done || !errors.Is(err, away) {
				t.Errorf("done is %t (%v)", done, err)
			}
			a.calls, a.fails = nil, nil
			if done, err := sync.Done(t.Context(), "test"); done || err != nil {
				t.Errorf("done is %t (%v) while the cache lacks a pod", done, err)
			}
			if diff := cmp.Diff(want, a.calls); diff != "" {
				t.Errorf("it asks (-want +got):\n%s", diff)
			}
		})
	}
}

func TestANewLeaderDoesNotGuessAtVersions(t *testing.T) {
	cached := interceptor.NewClient(readerOf(), interceptor.Funcs{
		Get: func(_ context.Context, _ client.WithWatch, _ client.ObjectKey, o client.Object, _ ...client.GetOption) error {
			o.SetResourceVersion("the newest")
			return nil
		},
	})
	if done, err := NewCacheSync(cached, readerOf(podAt("a", "7")), nil).Done(t.Context(), "test"); done || err == nil {
		t.Errorf("done is %t (%v), and one version is no number", done, err)
	}
}

// The cache selects pods by a label. One that has it no more since the list will never be there.
func TestANewLeaderDoesNotWaitForAPodWithoutItsLabel(t *testing.T) {
	live := readerOf(podAt("a", "7"), podAt("b", "7"))
	sync := NewCacheSync(readerOf(), live, nil)
	if done, err := sync.Done(t.Context(), "test"); done || err != nil {
		t.Fatalf("done is %t (%v) while the cache lacks two pods", done, err)
	}
	for _, name := range []string{"a", "b"} {
		var pod corev1.Pod
		if err := live.Get(t.Context(), client.ObjectKey{Namespace: "test", Name: name}, &pod); err != nil {
			t.Fatal(err)
		}
		pod.Labels = nil
		if err := live.Update(t.Context(), &pod); err != nil {
			t.Fatal(err)
		}
		done, err := sync.Done(t.Context(), "test")
		if want := name == "b"; done != want || err != nil {
			t.Errorf("done is %t (%v) when %s has no label any more, want %t", done, err, name, want)
		}
	}
}

// A namespace that cannot be read holds up no other.
func TestANewLeaderLooksAtEachNamespaceByItself(t *testing.T) {
	refused := errors.New("forbidden")
	a := asked{fails: map[string]error{`the API server lists PodList in "other" from "", at most 1000`: refused}}
	pod := podAt("a", "7")
	sync := NewCacheSync(a.reader("the cache", readerOf(pod)), a.reader("the API server", readerOf(pod)), []string{"other", "test"})
	if done, err := sync.Done(t.Context(), "other"); done || !errors.Is(err, refused) {
		t.Errorf("the one that cannot be read is done: %t (%v)", done, err)
	}
	if done, err := sync.Done(t.Context(), "test"); !done || err != nil {
		t.Errorf("the other one is done: %t (%v)", done, err)
	}
}

// Where all namespaces are watched, they are listed together.
func TestANewLeaderListsAllNamespacesTogether(t *testing.T) {
	var a asked
	sync := NewCacheSync(a.reader("the cache", readerOf()), a.reader("the API server", readerOf()), nil)
	for _, namespace := range []string{"one", "another"} {
		if done, err := sync.Done(t.Context(), namespace); !done || err != nil {
			t.Errorf("%s is done: %t (%v)", namespace, done, err)
		}
	}
	if diff := cmp.Diff([]string{
		`the API server lists PodList in "" from "", at most 1000`, `the API server lists ControllerRevisionList in "" from "", at most 1000`,
	}, a.calls); diff != "" {
		t.Errorf("it asks (-want +got):\n%s", diff)
	}
}
