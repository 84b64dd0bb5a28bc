package main

import (
	"testing"
)

// A number that is no port is refused before anything is built.
func TestNoPortIsRefusedAtOnce(t *testing.T) {
	for _, test := range []struct{ flag, value string }{
		{"--port", "99999"}, {"--port", "-1"}, {"--metrics-port", "65536"},
	} {
		t.Run(test.flag+" "+test.value, func(t *testing.T) {
			cmd := newCommand()
			cmd.SetArgs([]string{"up", test.flag, test.value, "--broker", "none"})
			want := test.flag + " " + test.value + " is no port: give one from 1 to 65535, or 0 for any that is free"
			if err := cmd.ExecuteContext(t.Context()); err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}
