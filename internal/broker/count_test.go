package broker

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What nobody has counted is not zero, and zero is a count.
func TestAnUnknownCountIsNotZero(t *testing.T) {
	for want, got := range map[Count]Count{{N: 3, Known: true}: CountOf(3), {Known: true}: CountOf(0)} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if CountOf(0) == (Count{}) {
		t.Error("zero is taken for unknown")
	}
}
