package words_test

import (
	"io"
	"testing"

	"github.com/quickube/qscaler/internal/controller/words"
)

func TestAndMore(t *testing.T) {
	for want, names := range map[string][]string{
		"":                   nil,
		"a":                  {"a"},
		"a, b, c":            {"a", "b", "c"},
		"a, b, c and 1 more": {"a", "b", "c", "d"},
		"a, b, c and 2 more": {"a", "b", "c", "d", "e"},
	} {
		if got := words.AndMore(names); got != want {
			t.Errorf("of %v: %q, want %q", names, got, want)
		}
	}
}

func TestHowMany(t *testing.T) {
	for n, want := range map[int]string{0: "0 pods", 1: "1 pod", 2: "2 pods"} {
		if got := words.HowMany(n, "pod", "pods"); got != want {
			t.Errorf("of %d: %q, want %q", n, got, want)
		}
	}
}

func TestTextOf(t *testing.T) {
	if got := words.TextOf(nil); got != "" {
		t.Errorf("no error is %q", got)
	}
	if got := words.TextOf(io.EOF); got != "EOF" {
		t.Errorf("the error is %q", got)
	}
}
