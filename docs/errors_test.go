package docs

import (
	"strings"
	"testing"
)

// An error says what was tried, then a comma, then the error that came: "reading the history, connection refused". The
// text of an error often has colons of its own.
func TestErrorsAreWrappedByAComma(t *testing.T) {
	_, texts := comments(t)
	wrapped := 0
	for _, literal := range texts {
		if strings.Contains(literal.text, ", %"+"w") {
			wrapped++
		}
		if strings.Contains(literal.text, ": %"+"w") {
			t.Errorf("%s: %s wraps an error after a colon; use a comma", literal.at, literal.text)
		}
	}
	if wrapped == 0 {
		t.Error("no file wraps an error by a comma, so this test sees nothing")
	}
}
