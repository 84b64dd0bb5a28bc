package qworker

import (
	"context"
	"errors"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// patches fails its first patch.
type patches struct {
	client.Client
	n int
}

func (p *patches) Patch(context.Context, client.Object, client.Patch, ...client.PatchOption) error {
	if p.n++; p.n == 1 {
		return errors.New("no")
	}
	return nil
}

// A kill that was counted and could not be saved is saved with the next try, not with the next kill.
func TestAFailedSaveIsTriedAgain(t *testing.T) {
	s, writes := sizedScope(t), &patches{}
	s.client = writes
	for _, atOnce := range []bool{true, false, false} {
		s.saveHistory(t.Context(), s.memory.sizes, atOnce, false)
	}
	if writes.n != 2 {
		t.Errorf("%d writes, want one that failed and one that did not", writes.n)
	}
}
