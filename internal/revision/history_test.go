package revision

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// book is a history with what a test reads of it.
type book struct {
	*testing.T
	*History
	qw *v1alpha1.QWorker
}

func newBook(t *testing.T) *book {
	c := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).
		WithIndex(&appsv1.ControllerRevision{}, OwnerIndex, IndexByOwner).Build()
	qw := qworker("mail")
	qw.UID = types.UID("uid-of-mail")
	return &book{T: t, History: NewHistory(c, c, clock.RealClock{}), qw: qw}
}

// intercept has the API server, and the cache of it, answer otherwise from now on.
func (b *book) intercept(funcs interceptor.Funcs) {
	c := interceptor.NewClient(b.client.(client.WithWatch), funcs)
	b.History = NewHistory(c, c, clock.RealClock{})
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
	r, err := b.Ensure(b.Context(), b.qw, b.list(), c, Config{})
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

// Each revision has the number after the newest, and keeps what is said of it.
func TestWhatIsKeptWithARevision(t *testing.T) {
	b := newBook(t)
	b.ensure(release(1))
	second := b.ensure(release(2))
	stop := Stop{Generation: 4, Reason: "CrashLooping", Message: `container "worker" says: "no"`}
	err := errors.Join(
		b.MarkTried(t.Context(), b.qw, second), b.MarkSeenAtTask(t.Context(), b.qw, second), b.KeepStop(t.Context(), b.qw, second, stop),
	)
	if err != nil {
		t.Fatal(err)
	}
	b.ensure(release(1))
	type kept struct {
		Image         string
		Number        int64
		Proven, Tried bool
		SeenAtTask    bool
		Stop          Stop
	}
	var got []kept
	for _, r := range b.list() {
		got = append(got, kept{r.PodSpec.Containers[0].Image, r.Number, r.Proven, r.Tried, r.SeenAtTask, r.Stop})
	}
	want := []kept{{"worker:2", 2, false, true, true, stop}, {"worker:1", 3, false, false, false, Stop{}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("revisions (-want +got):\n%s", diff)
	}
}

// A stop only informs: one that cannot be read is none, and the rest of the revision holds.
func TestAVerdictThatCannotBeReadIsNone(t *testing.T) {
	for name, words := range map[string]string{"no JSON": "x", "half of it is right": `{"reason":"Crash","generation":"x"}`} {
		t.Run(name, func(t *testing.T) {
			b := newBook(t)
			object, err := encode(b.qw, release(1), Config{}, 1, 0)
			if err != nil {
				t.Fatal(err)
			}
			object.Annotations = map[string]string{"quickube.com/stop": words, "quickube.com/proven": "true"}
			if err := b.client.Create(t.Context(), object); err != nil {
				t.Fatal(err)
			}
			if stored := b.list(); len(stored) != 1 || !stored[0].Proven || stored[0].Stop != (Stop{}) {
				t.Errorf("the revisions are %+v", stored)
			}
		})
	}
}

// The index finds by the label, which somebody may have copied: only the owner counts.
func TestARevisionWithOurLabelAndAnotherOwnerIsNotOurs(t *testing.T) {
	b := newBook(t)
	b.ensure(release(1))
	object, err := encode(b.qw, release(2), Config{}, 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	object.OwnerReferences[0].UID = "another"
	if err := b.client.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"worker:1"}, b.images()); diff != "" {
		t.Errorf("revisions (-want +got):\n%s", diff)
	}
}

func TestWhatIsStored(t *testing.T) {
	b := newBook(t)
	c := release(1)
	c.PodSpec.TerminationGracePeriodSeconds = ptr.To[int64](9007199254740993) // no float64
	object, err := encode(b.qw, c, Config{}, 7, 0)
	if err != nil {
		t.Fatal(err)
	}
	hash := object.Labels["quickube.com/pod-spec-hash"]
	if len(hash) != 10 {
		t.Errorf("the hash is %q, want 10 characters", hash)
	}
	want := &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns",
			Name:      NamePrefix(b.qw) + hash,
			Labels: map[string]string{
				"quickube.com/qworker": "mail", "quickube.com/qworker-uid": "uid-of-mail", "quickube.com/pod-spec-hash": hash,
			},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "quickube.com/v1alpha1", Kind: "QWorker", Name: "mail", UID: "uid-of-mail",
				Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(true),
			}},
		},
		Revision: 7,
	}
	if diff := cmp.Diff(want, object, cmpopts.IgnoreFields(appsv1.ControllerRevision{}, "Data")); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	// Names in order and numbers as they are: the API server refuses a patch that would have to change them.
	const spec = `"podSpec":{"containers":[{"image":"worker:1","name":"worker","resources":{}}],"terminationGracePeriodSeconds":9007199254740993}`
	if data := string(object.Data.Raw); !strings.Contains(data, spec) {
		t.Errorf("stored is %s, want %s in it", data, spec)
	}
}

func TestPruneOfFewKeepsThemAll(t *testing.T) {
	b := newBook(t)
	b.ensure(release(1))
	b.ensure(release(2))
	if err := b.Prune(t.Context(), b.qw, b.list(), func(string) bool { return false }, 10); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"worker:1", "worker:2"}, b.images()); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

func TestPruneKeepsTheLastAndWhatIsInUse(t *testing.T) {
	b := newBook(t)
	oldest := b.ensure(release(0))
	for n := 1; n <= 14; n++ {
		b.ensure(release(n))
	}
	inUse := func(hash string) bool { return hash == oldest.Hash }
	if err := b.Prune(t.Context(), b.qw, b.list(), inUse, 10); err != nil {
		t.Fatal(err)
	}
	want := []string{"worker:0"}
	for n := 5; n <= 14; n++ {
		want = append(want, fmt.Sprint("worker:", n))
	}
	if diff := cmp.Diff(want, b.images()); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if err := b.Prune(t.Context(), b.qw, b.list(), inUse, 0); err != nil {
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
	taken, err := encode(b.qw, release(1), Config{}, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	other, err := encode(b.qw, release(2), Config{}, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	taken.Data = other.Data
	if err := b.client.Create(t.Context(), taken); err != nil {
		t.Fatal(err)
	}
	r, err := b.Ensure(t.Context(), b.qw, nil, release(1), Config{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Hash == taken.Labels["quickube.com/pod-spec-hash"] || !r.Equal(release(1)) {
		t.Errorf("the revision is %s of %s, and that hash was taken", r.Hash, r.PodSpec.Containers[0].Image)
	}
}

// A new leader's cache does not show yet what the leader before it stored a moment ago: it is found all the same, and
// not stored twice.
func TestAStaleCacheStoresNothingTwice(t *testing.T) {
	b := newBook(t)
	first := b.ensure(release(1))
	stale := interceptor.NewClient(b.client.(client.WithWatch), interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return nil },
	})
	b.History = NewHistory(stale, b.live, clock.RealClock{})
	second := b.ensure(release(1))
	if first.Hash != second.Hash {
		t.Errorf("the revision is stored as %s and %s", first.Hash, second.Hash)
	}
	var all appsv1.ControllerRevisionList
	if err := b.live.(client.Client).List(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Items) != 1 {
		t.Errorf("%d revisions are stored, want 1", len(all.Items))
	}
}
