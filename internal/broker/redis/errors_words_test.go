package redis

import (
	"testing"

	"github.com/quickube/qscaler/internal/broker"
)

// A server may refuse a command without a word. Whoever reads the condition is told that.
func TestAnErrorWithoutWords(t *testing.T) {
	for _, reply := range []string{"-", "-ERR ", "-  \t ", "-ERR \x1b\u202e", "-\u2066"} {
		address := fakeServer(t, func(c []string) string {
			if c[0] == "HELLO" {
				return unknown(c)
			}
			return reply
		})
		d, err := Open(t.Context(), Config{Address: address}, newBell().ring)
		if err == nil {
			t.Cleanup(d.Close)
			var answers []broker.Answer
			if answers, err = d.Depths(t.Context(), []broker.Query{{Queue: "q"}}); err == nil {
				err = answers[0].Err
			}
		}
		want := "redis at " + address + ": it sent an error without words"
		if err == nil || err.Error() != want {
			t.Errorf("of %q: %v, want %s", reply, err, want)
		}
	}
}
