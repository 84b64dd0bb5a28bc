package revision

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// Whatever the API server refuses, the caller hears of it, and of nothing that was half done.
func TestWhatTheAPIServerRefusesIsReported(t *testing.T) {
	refused := errors.New("connection refused")
	list := interceptor.Funcs{List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return refused }}
	get := interceptor.Funcs{Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
		return refused
	}}
	create := interceptor.Funcs{Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return refused }}
	patch := interceptor.Funcs{Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
		return refused
	}}
	remove := interceptor.Funcs{Delete: func(context.Context, client.WithWatch, client.Object, ...client.DeleteOption) error { return refused }}
	ensure := func(n int) func(*book, []Revision) (any, error) {
		return func(b *book, stored []Revision) (any, error) {
			return b.Ensure(b.Context(), b.qw, stored, release(n), Config{})
		}
	}
	cases := map[string]struct {
		refuse interceptor.Funcs
		do     func(b *book, stored []Revision) (any, error)
		want   any
		says   string
	}{
		"the list":       {list, func(b *book, _ []Revision) (any, error) { return b.List(b.Context(), b.qw) }, []Revision(nil), "listing the revisions"},
		"a new revision": {create, ensure(3), Revision{}, "storing the revision mail-"},
		"the look at what has its name": {get, func(b *book, _ []Revision) (any, error) {
			return b.Ensure(b.Context(), b.qw, nil, release(1), Config{})
		}, Revision{}, "storing the revision mail-"},
		"a rollback": {patch, func(b *book, stored []Revision) (any, error) {
			_, err := b.Ensure(b.Context(), b.qw, stored, release(1), Config{})
			return nil, err
		}, nil, "updating the revision mail-"},
		"the proof": {patch, func(b *book, stored []Revision) (any, error) {
			return nil, b.MarkProven(b.Context(), b.qw, stored[0])
		}, nil, "updating the revision mail-"},
		"the try": {patch, func(b *book, stored []Revision) (any, error) {
			return nil, b.MarkTried(b.Context(), b.qw, stored[0])
		}, nil, "updating the revision mail-"},
		"that it was seen at a task": {patch, func(b *book, stored []Revision) (any, error) {
			return nil, b.MarkSeenAtTask(b.Context(), b.qw, stored[0])
		}, nil, "updating the revision mail-"},
		"the stop": {patch, func(b *book, stored []Revision) (any, error) {
			return nil, b.KeepStop(b.Context(), b.qw, stored[0], Stop{Reason: "Crash"})
		}, nil, "updating the revision mail-"},
		"the deletion of an old one": {remove, func(b *book, stored []Revision) (any, error) {
			return nil, b.Prune(b.Context(), b.qw, stored, func(string) bool { return false }, 1)
		}, nil, "deleting the revision mail-"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBook(t)
			b.ensure(release(1))
			b.ensure(release(2))
			stored := b.list()
			b.intercept(c.refuse)
			got, err := c.do(b, stored)
			if !errors.Is(err, refused) || !strings.HasPrefix(err.Error(), c.says) {
				t.Errorf("the error is %v, want one that begins with %q", err, c.says)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(Revision{})); diff != "" {
				t.Errorf("with the error there comes (-want +got):\n%s", diff)
			}
		})
	}
}

// One that is gone already is as good as deleted.
func TestPruneOfWhatIsGone(t *testing.T) {
	b := newBook(t)
	b.ensure(release(1))
	b.ensure(release(2))
	stored := b.list()
	for range 2 {
		if err := b.Prune(t.Context(), b.qw, stored, func(string) bool { return false }, 1); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"worker:2"}, b.images()); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

// Revisions that are not to be read are an error, and not none: the fleet would be rolled to one that is stored already.
func TestARevisionThatCannotBeReadIsAnError(t *testing.T) {
	b := newBook(t)
	r := b.ensure(release(1))
	b.spoil(r)
	if stored, err := b.List(t.Context(), b.qw); err == nil || !strings.HasPrefix(err.Error(), "decoding the revision "+r.name) || stored != nil {
		t.Errorf("the list is %+v, %v", stored, err)
	}
	if got, err := b.Ensure(t.Context(), b.qw, nil, release(1), Config{}); err == nil || !strings.HasPrefix(err.Error(), "decoding the revision "+r.name) || got.Hash != "" {
		t.Errorf("Ensure returns %+v, %v", got, err)
	}
}

// spoil has a stored revision hold what is no content.
func (b *book) spoil(r Revision) {
	b.Helper()
	object := &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Namespace: b.qw.Namespace, Name: r.name}}
	if err := b.client.Patch(b.Context(), object, client.RawPatch("application/merge-patch+json", []byte(`{"data":{"queue":7}}`))); err != nil {
		b.Fatal(err)
	}
}

// A port that is neither a number nor a name has no JSON. The API server admits none, but it is no reason to end.
func TestContentThatCannotBeWrittenIsAnError(t *testing.T) {
	b := newBook(t)
	c := release(1)
	c.PodSpec.Containers[0].LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
		HTTPGet: &corev1.HTTPGetAction{Port: intstr.IntOrString{Type: 7}},
	}}
	got, err := b.Ensure(t.Context(), b.qw, nil, c, Config{})
	if err == nil || !strings.HasPrefix(err.Error(), "hashing the revision, ") || got.Hash != "" {
		t.Errorf("Ensure returns %+v, %v", got, err)
	}
	if images := b.images(); len(images) > 0 {
		t.Errorf("stored are %v", images)
	}
	b.ensure(large(1, 20)) // beside one that the cache has only in part
	b.stripping(never)
	if _, err := b.Ensure(t.Context(), b.qw, b.list(), c, Config{}); err == nil || !strings.HasPrefix(err.Error(), "encoding the revision, ") {
		t.Errorf("beside a large one Ensure returns %v", err)
	}
}

// Fields that could not be put into their places are not left out.
func TestFieldsThatCannotBeReadAreAnError(t *testing.T) {
	for name, newer := range map[string]v1alpha1.NewerField{
		"a value that is no JSON":              {Name: "newer", Value: "{"},
		"one that is known, and another thing": {Name: "hostname", Value: "7"},
	} {
		b := newBook(t)
		object, err := encode(b.qw, revisionOf(func(c *Content) { c.Newer = []v1alpha1.NewerField{newer} }).Content, Config{}, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := decode(object); err == nil || !strings.HasPrefix(err.Error(), "decoding the revision "+object.Name) || r.Hash != "" {
			t.Errorf("%s: it is read as %+v, %v", name, r, err)
		}
	}
}

// Each name is tried once, and then it is said that none is free.
func TestNoFreeHash(t *testing.T) {
	b := newBook(t)
	others := b.qw.DeepCopy()
	others.UID = "another"
	for n := range 10 {
		object, err := encode(b.qw, release(1), Config{}, 1, n)
		if err != nil {
			t.Fatal(err)
		}
		taken, err := encode(others, release(2), Config{}, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		taken.Name = object.Name
		if err := b.client.Create(t.Context(), taken); err != nil {
			t.Fatal(err)
		}
	}
	creates := 0
	b.intercept(interceptor.Funcs{Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
		creates++
		return c.Create(ctx, o, opts...)
	}})
	got, err := b.Ensure(t.Context(), b.qw, nil, release(1), Config{})
	const want = "storing a revision of mail, no free hash after 10 tries"
	if err == nil || err.Error() != want || got.Hash != "" || creates != 10 {
		t.Errorf("Ensure returns %+v, %v after %d tries; want %s", got, err, creates, want)
	}
}
