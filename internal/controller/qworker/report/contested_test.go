package report

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestContested(t *testing.T) {
	const kind = "Contested"
	if diff := cmp.Diff(Absent(kind), contested(nil)); diff != "" {
		t.Errorf("one operator (-want +got):\n%s", diff)
	}
	want := Is(kind, true, "SeveralOperators", "the operators qscaler-a and qscaler-b act on this QWorker at once: there may be too many workers or too few. Stop all but one of them, or give each its own namespaces with --watch-namespaces")
	got := contested([]string{"qscaler-a", "qscaler-b"})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("two operators (-want +got):\n%s", diff)
	}
	for name, c := range map[string]struct {
		before, after []metav1.Condition
		events        int
	}{
		"they begin":    {nil, []metav1.Condition{got}, 1},
		"they go on":    {[]metav1.Condition{got}, []metav1.Condition{got}, 0},
		"one has ended": {[]metav1.Condition{got}, nil, 0},
	} {
		if events := new(Memory).changes(c.before, c.after); len(events) != c.events {
			t.Errorf("%s: %v, want %d", name, events, c.events)
		}
	}
}
