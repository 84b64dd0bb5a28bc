package revision

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// book is a history with what a test reads of it.
type book struct {
	*testing.T
	History
	qw *v1alpha1.QWorker
}

func newBook(t *testing.T) *book {
	c := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).
		WithIndex(&appsv1.ControllerRevision{}, OwnerIndex, IndexByOwner).Build()
	qw := qworker("mail")
	qw.UID = types.UID("uid-of-mail")
	return &book{T: t, History: History{Client: c, Live: c}, qw: qw}
}

// release is a content that differs from another by its image.
func release(n int) Content {
	return Content{Queue: "q", PodSpec: corev1.PodSpec{Containers: []corev1.Container{{Name: "worker", Image: fmt.Sprint("worker:", n)}}}}
}

func (b *book) list() []Revision {
	b.Helper()
	stored, err := b.List(b.Context(), b.qw)
	if err != nil {
		b.Fatal(err)
	}
	return stored
}

func (b *book) ensure(c Content) Revision {
	b.Helper()
	r, err := b.Ensure(b.Context(), b.qw, b.list(), c)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// images has the images of the stored revisions, oldest first.
func (b *book) images() []string {
	b.Helper()
	var images []string
	for _, r := range b.list() {
		images = append(images, r.PodSpec.Containers[0].Image)
	}
	return images
}

func TestARollbackIsTheOldRevisionAgain(t *testing.T) {
	b := newBook(t)
	first, second := b.ensure(release(1)), b.ensure(release(2))
	if first.Hash == second.Hash || first.Number >= second.Number {
		t.Fatalf("the revisions are %s (%d) and %s (%d)", first.Hash, first.Number, second.Hash, second.Number)
	}
	again := b.ensure(release(1))
	if again.Hash != first.Hash || again.Number <= second.Number {
		t.Errorf("the rollback is %s (%d), want %s with a number above %d", again.Hash, again.Number, first.Hash, second.Number)
	}
	if diff := cmp.Diff([]string{"worker:2", "worker:1"}, b.images()); diff != "" {
		t.Errorf("revisions (-want +got):\n%s", diff)
	}
}

// What means the same is the same revision, in whatever words: nothing is written, and no fleet rolls.
func TestTheSameInOtherWordsIsTheSameRevision(t *testing.T) {
	b := newBook(t)
	withCPU := func(cpu string) Content {
		c := release(1)
		c.PodSpec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}
		return c
	}
	first, second := b.ensure(withCPU("500m")), b.ensure(withCPU("0.5"))
	if first.Hash != second.Hash || len(b.list()) != 1 {
		t.Errorf("0.5 and 500m are revisions %s and %s", first.Hash, second.Hash)
	}
}

func TestProvenIsRemembered(t *testing.T) {
	b := newBook(t)
	r := b.ensure(release(1))
	if r.Proven {
		t.Error("a new revision is proven")
	}
	if err := b.MarkProven(t.Context(), b.qw, r); err != nil {
		t.Fatal(err)
	}
	if stored := b.list(); len(stored) != 1 || !stored[0].Proven {
		t.Errorf("the revision is not proven: %+v", stored)
	}
}

func TestPruneKeepsTheLastTenAndWhatIsInUse(t *testing.T) {
	b := newBook(t)
	oldest := b.ensure(release(0))
	for n := 1; n <= 14; n++ {
		b.ensure(release(n))
	}
	inUse := func(hash string) bool { return hash == oldest.Hash }
	if err := b.Prune(t.Context(), b.qw, b.list(), inUse, false); err != nil {
		t.Fatal(err)
	}
	want := []string{"worker:0"}
	for n := 5; n <= 14; n++ {
		want = append(want, fmt.Sprint("worker:", n))
	}
	if diff := cmp.Diff(want, b.images()); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if err := b.Prune(t.Context(), b.qw, b.list(), inUse, true); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"worker:0"}, b.images()); diff != "" {
		t.Errorf("kept when all are to go (-want +got):\n%s", diff)
	}
}

// The revisions of a QWorker that was deleted and made again under the same name are not its own.
func TestAnotherQWorkersRevisionsAreNotOurs(t *testing.T) {
	b := newBook(t)
	b.ensure(release(1))
	b.qw = b.qw.DeepCopy()
	b.qw.UID = "uid-of-the-next"
	if stored := b.list(); len(stored) != 0 {
		t.Errorf("the new QWorker has the old one's %d revisions", len(stored))
	}
	b.ensure(release(1))
	if stored := b.list(); len(stored) != 1 {
		t.Errorf("it has %d revisions of its own, want 1", len(stored))
	}
}

// A hash that another content has taken is passed over.
func TestACollisionGetsAnotherHash(t *testing.T) {
	b := newBook(t)
	taken, err := encode(b.qw, release(1), 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	other, err := encode(b.qw, release(2), 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	taken.Data = other.Data
	if err := b.Client.Create(t.Context(), taken); err != nil {
		t.Fatal(err)
	}
	r, err := b.Ensure(t.Context(), b.qw, nil, release(1))
	if err != nil {
		t.Fatal(err)
	}
	if r.Hash == taken.Labels["quickube.com/pod-spec-hash"] || !r.Equal(release(1)) {
		t.Errorf("the revision is %s of %s, and that hash was taken", r.Hash, r.PodSpec.Containers[0].Image)
	}
}

// The cache does not show yet what was stored a moment ago: it is found all the same, and not stored twice.
func TestAStaleCacheStoresNothingTwice(t *testing.T) {
	b := newBook(t)
	first := b.ensure(release(1))
	b.Client = interceptor.NewClient(b.Client.(client.WithWatch), interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return nil },
	})
	second := b.ensure(release(1))
	if first.Hash != second.Hash {
		t.Errorf("the revision is stored as %s and %s", first.Hash, second.Hash)
	}
	var all appsv1.ControllerRevisionList
	if err := b.Live.(client.Client).List(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Items) != 1 {
		t.Errorf("%d revisions are stored, want 1", len(all.Items))
	}
}
