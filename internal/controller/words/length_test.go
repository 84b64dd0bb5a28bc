package words_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/controller/words"
)

func TestShortened(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"a text of the length stays": {"12345678", "12345678"},
		"a longer one is cut":        {"123456789", "12345..."},
		"no character is cut in two": {"1234ääää", "1234..."},
		"and one that fits is kept":  {"123ääää", "123ä..."},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, words.Shortened(c.text, 8)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestNote(t *testing.T) {
	if n := len(words.Note(strings.Repeat("x", words.MaxNote+1))); n != words.MaxNote {
		t.Errorf("a note of %d bytes, want %d", n, words.MaxNote)
	}
}
