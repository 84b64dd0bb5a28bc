package revision

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/quickube/qscaler/internal/ownwrites"
)

// behind is a history whose cache shows what the API server had when it was last synced.
type behind struct {
	*book
	clock *clocktesting.FakeClock
	live  client.WithWatch
	cache []appsv1.ControllerRevision
	gets  int
	away  error
}

func newBehind(t *testing.T) *behind {
	b := &behind{clock: clocktesting.NewFakeClock(time.Unix(1_800_000_000, 0))}
	b.live = fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).Build()
	cached := interceptor.NewClient(b.live, interceptor.Funcs{
		List: func(_ context.Context, _ client.WithWatch, list client.ObjectList, _ ...client.ListOption) error {
			list.(*appsv1.ControllerRevisionList).Items = b.cache
			return nil
		},
	})
	counted := interceptor.NewClient(b.live, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
			if b.gets++; b.away != nil {
				return b.away
			}
			return c.Get(ctx, key, object, opts...)
		},
	})
	qw := qworker("mail")
	qw.UID = types.UID("uid-of-mail")
	b.book = &book{T: t, History: NewHistory(cached, counted, b.clock), qw: qw}
	return b
}

func (b *behind) sync() {
	var list appsv1.ControllerRevisionList
	if err := b.live.List(b.Context(), &list); err != nil {
		b.Fatal(err)
	}
	b.cache = list.Items
}

func (b *behind) hashes() []string {
	b.Helper()
	var hashes []string
	for _, r := range b.list() {
		hashes = append(hashes, r.Hash)
	}
	return hashes
}

// A revision is not stored again because the cache is behind, and one that somebody has deleted is forgotten.
func TestARevisionThatIsStoredIsKnown(t *testing.T) {
	cases := map[string]struct {
		then     func(*behind)
		wantsNew bool
		wantGets int
	}{
		"the cache is behind":                           {func(*behind) {}, true, 0},
		"the cache is behind for almost too long":       {func(b *behind) { b.clock.Step(ownwrites.VerifyAfter - 1) }, true, 0},
		"the cache is behind for so long that one asks": {func(b *behind) { b.clock.Step(ownwrites.VerifyAfter) }, true, 1},
		"one has asked a moment ago":                    {func(b *behind) { b.clock.Step(ownwrites.VerifyAfter); b.hashes(); b.clock.Step(1) }, true, 1},
		"the cache shows it":                            {func(b *behind) { b.sync() }, true, 0},
		"the cache shows it late":                       {func(b *behind) { b.sync(); b.hashes(); b.clock.Step(time.Minute) }, true, 0},
		"somebody has deleted it": {func(b *behind) {
			var list appsv1.ControllerRevisionList
			if err := b.live.List(b.Context(), &list); err != nil {
				b.Fatal(err)
			}
			for i := range list.Items {
				if list.Items[i].Revision == 2 {
					if err := b.live.Delete(b.Context(), &list.Items[i]); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.clock.Step(ownwrites.VerifyAfter)
		}, false, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBehind(t)
			want := []string{b.ensure(release(1)).Hash}
			b.sync()
			if newest := b.ensure(release(2)).Hash; c.wantsNew {
				want = append(want, newest)
			}
			c.then(b)
			if diff := cmp.Diff(want, b.hashes()); diff != "" {
				t.Errorf("known (-want +got):\n%s", diff)
			}
			if b.gets != c.wantGets {
				t.Errorf("the API server was asked %d times, want %d", b.gets, c.wantGets)
			}
		})
	}
}

// What becomes of a revision is known before the cache shows it: published without its proof, it would give way at once
// to whatever comes next.
func TestAProofIsKnownBeforeTheCacheShowsIt(t *testing.T) {
	b := newBehind(t)
	r := b.ensure(release(1))
	b.sync()
	if err := b.MarkProven(t.Context(), b.qw, r); err != nil {
		t.Fatal(err)
	}
	if got := b.list(); len(got) != 1 || !got[0].Proven {
		t.Errorf("the cache is behind, and the revisions are %+v, want one that is proven", got)
	}
	b.Forget(b.qw.UID)
	if got := b.list(); len(got) != 1 || got[0].Proven {
		t.Errorf("once forgotten the revisions are %+v, want what the cache shows", got)
	}
}

// An API server that does not answer has not said that a revision is gone.
func TestARevisionInDoubtIsNotForgottenInAnOutage(t *testing.T) {
	b := newBehind(t)
	want := []string{b.ensure(release(1)).Hash}
	b.clock.Step(ownwrites.VerifyAfter)
	b.away = errors.New("connection refused")
	if _, err := b.List(t.Context(), b.qw); !errors.Is(err, b.away) {
		t.Errorf("the error is %v, want %v", err, b.away)
	}
	b.away = nil
	if diff := cmp.Diff(want, b.hashes()); diff != "" {
		t.Errorf("after the outage (-want +got):\n%s", diff)
	}
}
