// Package redisservertest gives tests a real redis-server.
package redisservertest

import (
	"testing"

	"github.com/quickube/qscaler/local/redisserver"
)

// Start starts a server of the test's own, with further arguments, and stops it at the test's end. The test
// fails, and is not skipped, when redis-server is missing.
func Start(t testing.TB, args ...string) *redisserver.Server {
	t.Helper()
	s, err := redisserver.Start(t.Context(), redisserver.Options{Dir: t.TempDir(), Args: args})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stopping redis-server: %v", err)
		}
	})
	return s
}
