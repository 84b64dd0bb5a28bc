package revision

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// large is a content of so many KiB.
func large(n, kib int) Content {
	c := release(n)
	c.PodSpec.Containers[0].Env = []corev1.EnvVar{{Name: "PADDING", Value: strings.Repeat("x", kib<<10)}}
	return c
}

// stripping has the cache hold revisions as Strip leaves them, and counts what is read of the API server.
func (b *book) stripping(fails func() error) (reads *int) {
	b.Helper()
	inner := b.client.(client.WithWatch)
	cached := interceptor.NewClient(inner, interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, o ...client.ListOption) error {
			if err := c.List(ctx, list, o...); err != nil {
				return err
			}
			revisions := list.(*appsv1.ControllerRevisionList)
			for i := range revisions.Items {
				if _, err := Strip(&revisions.Items[i]); err != nil {
					return err
				}
			}
			return nil
		},
	})
	reads = new(int)
	live := interceptor.NewClient(inner, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
			*reads++
			if err := fails(); err != nil {
				return err
			}
			return c.Get(ctx, key, o, options...)
		},
	})
	b.History = NewHistory(cached, live, clock.RealClock{})
	return reads
}

func never() error { return nil }

func TestTheCacheHoldsNoLargePodSpecs(t *testing.T) {
	at := func(data string) *appsv1.ControllerRevision {
		return &appsv1.ControllerRevision{
			ObjectMeta: metav1.ObjectMeta{Name: "r", Annotations: map[string]string{annotationProven: "true"}, ManagedFields: []metav1.ManagedFieldsEntry{{}}},
			Data:       runtimeRaw(data),
		}
	}
	const newer = `"newer":[{"name":"n","value":"1"}],`
	podSpec := func(bytes int) string {
		whole := fmt.Sprintf(`{"podSpec":{"nodeName":%q},"queue":"q"}`, "")
		return strings.Replace(whole, `""`, `"`+strings.Repeat("x", bytes-len(whole))+`"`, 1)
	}
	for name, c := range map[string]struct {
		data, want string
		stripped   string
	}{
		"a small one stays":            {podSpec(keptWhole), podSpec(keptWhole), ""},
		"a larger one is stripped":     {podSpec(keptWhole + 1), `{"queue":"q"}`, fmt.Sprint(keptWhole + 1)},
		"and of fields that are newer": {"{" + newer + podSpec(keptWhole)[1:], `{"queue":"q"}`, fmt.Sprint(keptWhole + len(newer))},
		"one that is no JSON remains":  {strings.Repeat("x", keptWhole+1), strings.Repeat("x", keptWhole+1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			object := at(c.data)
			if got, err := Strip(object); got != any(object) || err != nil {
				t.Fatalf("it leaves %v (%v)", got, err)
			}
			annotations := map[string]string{annotationProven: "true"}
			if c.stripped != "" {
				annotations[annotationStripped] = c.stripped
			}
			want := &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Name: "r", Annotations: annotations}, Data: runtimeRaw(c.want)}
			if diff := cmp.Diff(want, object); diff != "" {
				t.Errorf("in the cache (-want +got):\n%s", diff)
			}
		})
	}
	if object, err := Strip("a tombstone"); object != "a tombstone" || err != nil {
		t.Errorf("of another object it leaves %v (%v)", object, err)
	}
}

// What is needed of large revisions is read once; of the others nothing is.
func TestLargeRevisionsAreReadWhenTheyAreNeeded(t *testing.T) {
	b := newBook(t)
	for n := range 4 {
		b.ensure(large(n, 20))
	}
	b.ensure(release(4))
	b.ensure(large(5, 20))
	reads := b.stripping(never)
	hashes := func() (all []string) {
		for _, r := range b.list() {
			all = append(all, r.Hash)
		}
		return all
	}()
	images := func(needed ...int) (images []string) {
		stored := b.list()
		err := b.Complete(t.Context(), b.qw, stored, func(hash string) bool {
			for _, i := range needed {
				if hashes[i] == hash {
					return true
				}
			}
			return false
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range stored {
			image := "-"
			if len(r.PodSpec.Containers) > 0 {
				image = r.PodSpec.Containers[0].Image
			}
			images = append(images, image)
		}
		return images
	}
	for _, step := range []struct {
		needed []int
		want   []string
		reads  int
	}{
		{[]int{1}, []string{"-", "worker:1", "-", "-", "worker:4", "worker:5"}, 2}, // and the newest
		{[]int{1}, []string{"-", "worker:1", "-", "-", "worker:4", "worker:5"}, 2},
		{[]int{1, 2}, []string{"-", "worker:1", "worker:2", "-", "worker:4", "worker:5"}, 3},
		{nil, []string{"-", "-", "-", "-", "worker:4", "worker:5"}, 3},
		{[]int{1}, []string{"-", "worker:1", "-", "-", "worker:4", "worker:5"}, 4},
	} {
		if diff := cmp.Diff(step.want, images(step.needed...)); diff != "" {
			t.Errorf("with %v (-want +got):\n%s", step.needed, diff)
		}
		if *reads != step.reads {
			t.Errorf("after %v there were %d reads, want %d", step.needed, *reads, step.reads)
		}
		if n := len(b.contents[b.qw.UID]); n != len(step.needed)+1 {
			t.Errorf("with %v %d contents are held, want these and the newest", step.needed, n)
		}
	}
	if err := b.Complete(t.Context(), b.qw, nil, nil); err != nil || len(b.contents) != 0 {
		t.Errorf("of a QWorker without revisions %d contents are held (%v)", len(b.contents), err)
	}
	if err := b.Complete(t.Context(), b.qw, nil, nil); err != nil || len(b.contents) != 0 {
		t.Errorf("of a QWorker that never had any, %d contents are held (%v)", len(b.contents), err)
	}
	images(1)
	b.Forget(b.qw.UID)
	if len(b.contents) != 0 {
		t.Errorf("%d contents are held of a QWorker that is gone", len(b.contents))
	}
}

// A return to an earlier large revision finds it again.
func TestALargeRevisionIsFoundAgain(t *testing.T) {
	b := newBook(t)
	first := b.ensure(large(1, 20))
	b.ensure(large(2, 20))
	other := large(3, 20)
	other.Queue = "other"
	b.ensure(other)
	reads := b.stripping(never)
	again := b.ensure(large(1, 20))
	if again.Hash != first.Hash || again.Number != 4 || !again.Equal(large(1, 20)) || again.stripped {
		t.Errorf("it is %s, number %d, stripped: %t, want %s, number 4, with its pod spec", again.Hash, again.Number, again.stripped, first.Hash)
	}
	if *reads != 2 {
		t.Errorf("%d revisions were read, want those two that may be it", *reads)
	}
	if fresh := b.ensure(large(7, 20)); fresh.Number != 5 {
		t.Errorf("a new one has number %d, want 5", fresh.Number)
	}
}

// What is read to find an equal revision is read once, however often the new one cannot be stored. The newest is compared
// first, and where that is the one, nothing is read.
func TestLargeRevisionsAreComparedOnce(t *testing.T) {
	b := newBook(t)
	for n := range 4 {
		b.ensure(large(n, 20))
	}
	refused, refusing := errors.New("refused"), false
	b.intercept(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
			if refusing {
				return refused
			}
			return c.Create(ctx, o, options...)
		},
	})
	reads := b.stripping(never)
	ensure := func(content Content) error {
		stored := b.list()
		if err := b.Complete(t.Context(), b.qw, stored, func(string) bool { return false }); err != nil {
			t.Fatal(err)
		}
		_, err := b.Ensure(t.Context(), b.qw, stored, content, Config{})
		return err
	}
	for _, step := range []struct {
		name     string
		content  int
		refusing bool
		reads    int // so far
	}{
		{"the newest", 3, false, 1}, // by Complete
		{"the newest again", 3, false, 1},
		{"another, which cannot be stored", 7, true, 4},
		{"the same, again", 7, true, 4},
		{"one more, which cannot be stored", 8, true, 7},
		{"that one, again", 8, true, 7},
		{"a return, past those that are newer", 0, false, 10},
	} {
		refusing = step.refusing
		if err := ensure(large(step.content, 20)); errors.Is(err, refused) != step.refusing {
			t.Errorf("%s: it ends with %v", step.name, err)
		}
		if *reads != step.reads {
			t.Errorf("%s: there were %d reads, want %d", step.name, *reads, step.reads)
		}
	}
	b.Forget(b.qw.UID)
	if len(b.unequal) != 0 {
		t.Errorf("of a QWorker that is gone, %v is held", b.unequal)
	}
}

// A revision that cannot be read is not another one.
func TestALargeRevisionThatCannotBeRead(t *testing.T) {
	b := newBook(t)
	b.ensure(large(1, 20))
	away := errors.New("the API server is away")
	b.stripping(func() error { return away })
	stored := b.list()
	if err := b.Complete(t.Context(), b.qw, stored, func(string) bool { return true }); !errors.Is(err, away) {
		t.Errorf("completing ends with %v", err)
	}
	for n := range 3 { // the same, or another
		if _, err := b.Ensure(t.Context(), b.qw, stored, large(n, 20), Config{}); !errors.Is(err, away) {
			t.Errorf("looking for an equal one ends with %v", err)
		}
	}
	if n := len(b.list()); n != 1 {
		t.Errorf("%d revisions are stored, want the one", n)
	}
}

// One that is no content any more is an error once it is read whole.
func TestALargeRevisionThatIsSpoiled(t *testing.T) {
	b := newBook(t)
	r := b.ensure(large(1, 20))
	b.stripping(never)
	stored := b.list()
	b.spoil(r)
	if err := b.Complete(t.Context(), b.qw, stored, func(string) bool { return true }); err == nil || !strings.HasPrefix(err.Error(), "decoding the revision "+r.name) {
		t.Errorf("completing ends with %v", err)
	}
}

// The history is bounded by its size, too. The bound is a smaller one here: a fake API server is slow with megabytes.
func TestTheHistoryIsBoundedByItsSize(t *testing.T) {
	const half = 12 // KiB
	if h := newBook(t).keptBytes; h != keptBytes {
		t.Errorf("a history keeps %d bytes, want %d", h, keptBytes)
	}
	for name, c := range map[string]struct {
		kib  int
		keep int
		want int // how many of 5 stay, beside the one that is in use
	}{
		"small ones are counted":           {1, 4, 4},
		"a little less than half the room": {half - 1, 10, 2},
		"a little more than half the room": {half + 1, 10, 1},
		"more than the room":               {3 * half, 10, 1},
		"none is to be kept":               {1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(t)
			var last Revision
			for n := range 6 {
				last = b.ensure(large(n, c.kib))
			}
			b.stripping(never)
			b.keptBytes = 2 * half << 10
			if err := b.Prune(t.Context(), b.qw, b.list(), func(hash string) bool { return hash == last.Hash }, c.keep); err != nil {
				t.Fatal(err)
			}
			if n := len(b.list()); n != c.want+1 {
				t.Errorf("%d stay, want %d and the one that is in use", n, c.want)
			}
		})
	}
}

func runtimeRaw(data string) runtime.RawExtension { return runtime.RawExtension{Raw: []byte(data)} }

// The last revisions stay, as many as have room together, and the last whatever its size.
func TestFitting(t *testing.T) {
	of := func(sizes ...int) (revisions []Revision) {
		for _, size := range sizes {
			revisions = append(revisions, Revision{bytes: size})
		}
		return revisions
	}
	for name, c := range map[string]struct {
		revisions []Revision
		want      int
	}{
		"there are none":            {nil, 0},
		"exactly the room":          {of(1, keptBytes-1, 1), 2},
		"one byte more":             {of(keptBytes, 1), 1},
		"the last is larger":        {of(1, keptBytes+1), 1},
		"those before do not count": {of(keptBytes, 1, 1), 2},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fitting(c.revisions, keptBytes); got != c.want {
				t.Errorf("%d have room, want %d", got, c.want)
			}
		})
	}
}

// A revision of exactly the size that is cached whole is not held a second time.
func TestTheSizeThatIsCachedWhole(t *testing.T) {
	b := newBook(t)
	for size, held := range map[int]int{keptWhole: 0, keptWhole + 1: 1} {
		stored := []Revision{{name: "r", bytes: size}}
		if err := b.Complete(t.Context(), b.qw, stored, func(string) bool { return true }); err != nil || len(b.contents[b.qw.UID]) != held {
			t.Errorf("of %d bytes, %d contents are held (%v), want %d", size, len(b.contents[b.qw.UID]), err, held)
		}
	}
}
