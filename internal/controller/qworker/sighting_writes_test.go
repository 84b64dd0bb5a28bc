package qworker

import (
	"context"
	"errors"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/ownwrites"
	"github.com/quickube/qscaler/internal/revision"
)

// A webhook that refuses what was seen is not asked in each round, of which a busy queue makes several a second.
func TestASightingThatIsRefusedIsHeldBack(t *testing.T) {
	clk := clocktesting.NewFakeClock(time.Now())
	errRefused := errors.New("refused")
	writes, answer := 0, errRefused
	server := interceptor.NewClient(fake.NewClientBuilder().Build(), interceptor.Funcs{
		Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
			writes++
			return answer
		},
	})
	s := newRound(&Reconciler{
		clock: clk, qworkers: ownwrites.New[types.UID, *v1alpha1.QWorker](), history: revision.NewHistory(server, server, clk),
	}, &v1alpha1.QWorker{}, newMemory("uid"))
	s.seen.revisions.all = []revision.Revision{{Hash: "r1"}}
	s.seen.sightings.add("r1")
	keep := func(when string, want error, wantWrites int) {
		t.Helper()
		if err := s.proofs().keepSightings(t.Context(), &s.seen.revisions, s.seen.sightings); !errors.Is(err, want) || writes != wantWrites {
			t.Errorf("%s it ends with %v after %d writes, want %v after %d", when, err, writes, want, wantWrites)
		}
	}
	keep("at first", errRefused, 1)
	keep("in the next round", errRefused, 1)
	if s.seen.revisions.all[0].SeenAtTask {
		t.Error("what was refused is taken for stored")
	}
	answer = nil
	clk.Step(time.Hour)
	keep("later", nil, 2)
	keep("once it is stored", nil, 2)
}
