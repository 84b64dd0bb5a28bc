// Package natsservertest gives tests a real nats-server with JetStream.
package natsservertest

import (
	"testing"

	"github.com/quickube/qscaler/local/natsserver"
)

// Start starts a server of the test's own, with further text of its configuration, and stops it at the test's end. The
// test fails, and is not skipped, when nats-server cannot be built.
func Start(t testing.TB, config string) *natsserver.Server {
	t.Helper()
	program, err := natsserver.Program(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	s, err := natsserver.Start(t.Context(), natsserver.Options{Dir: t.TempDir(), Program: program, Config: config})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stopping nats-server: %v", err)
		}
	})
	return s
}
