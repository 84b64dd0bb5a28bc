package fleet

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// How long a container ran is told where it is known. Some runtimes say 1970 where they do not know.
func TestHowLongAContainerRan(t *testing.T) {
	at := func(seconds int64) metav1.Time { return metav1.NewTime(time.Unix(seconds, 0)) }
	start := t0.Unix()
	for name, c := range map[string]struct {
		started, finished metav1.Time
		want              string
	}{
		"it never started":          {at(0), at(start), "exit code 1"},
		"nobody knows when":         {metav1.Time{}, at(start), "exit code 1"},
		"nor when it ended":         {at(start), at(0), "exit code 1"},
		"in the first second after": {at(1), at(3), "exit code 1 after 2s"},
		"and it ended in that":      {at(1), at(1), "exit code 1 after less than a second"},
		"a second":                  {at(start), at(start + 1), "exit code 1 after 1s"},
		"almost an hour":            {at(start), at(start + 3599), "exit code 1 after 59m59s"},
		"an hour":                   {at(start), at(start + 3600), "exit code 1 after 1h0m"},
		"longer":                    {at(start), at(start + 3600 + 31*60 + 20), "exit code 1 after 1h31m"},
	} {
		state := &corev1.ContainerStateTerminated{ExitCode: 1, StartedAt: c.started, FinishedAt: c.finished}
		if got := exitWords(state); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Of a message the last 400 bytes are told.
func TestOneLine(t *testing.T) {
	const most = 400
	for _, c := range []struct{ message, want string }{
		{" two\n\twords ", "two words"},
		{strings.Repeat("x", most), strings.Repeat("x", most)},
		{"a" + strings.Repeat("x", most), "..." + strings.Repeat("x", most)},
		{"aé" + strings.Repeat("x", most-1), "..." + strings.Repeat("x", most-1)}, // no half of a character
	} {
		if got := oneLine(c.message); got != c.want {
			t.Errorf("of %.10q... it is %.10q... of %d bytes, want %d", c.message, got, len(got), len(c.want))
		}
	}
}
