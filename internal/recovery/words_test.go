package recovery

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheRecordOfAWorker(t *testing.T) {
	s := Snapshot{Dead: []Dead{dead("a", Ended), dead("b", Gone), dead("c", Returned)}}
	for _, want := range s.Dead {
		if got, found := s.Of(want.Worker); !found || got != want {
			t.Errorf("Of(%s) = %+v, %t, want %+v", want.Worker, got, found, want)
		}
	}
	for _, worker := range []string{"", "aa", "d"} {
		if got, found := s.Of(worker); found {
			t.Errorf("Of(%s) = %+v, want none", worker, got)
		}
	}
}

func TestWhatAStateMeans(t *testing.T) {
	type means struct{ Gone, Returned bool }
	cases := map[State]means{
		Ended: {}, Returned: {Returned: true}, Gone: {Gone: true}, Lingering: {Gone: true, Returned: true},
	}
	for state, want := range cases {
		d := dead("a", state)
		if diff := cmp.Diff(want, means{d.IsGone(), d.IsReturned()}); diff != "" {
			t.Errorf("state %d (-want +got):\n%s", state, diff)
		}
	}
}
