package report

import (
	"strings"
	"testing"
)

// The message says how many tasks they hold, and not 0 where nobody could count them.
func TestWhatUnknownHoldersHave(t *testing.T) {
	for want, s := range map[string]UnknownHolders{
		"1 unknown holder has 1 task of the queue: a. ":                                 {Workers: 1, Tasks: 1, Names: []string{"a"}},
		"3 unknown holders have 7 tasks of the queue: a, b, .... ":                      {Workers: 3, Tasks: 7, Names: []string{"a", "b"}},
		"2 unknown holders have tasks of the queue, which could not be counted: a, b. ": {Workers: 2, Names: []string{"a", "b"}},
	} {
		if got := s.message(); !strings.HasPrefix(got, want) {
			t.Errorf("%+v says %q, want %q", s, got, want)
		}
	}
}
