// Package bubbletest runs tests in bubbles of testing/synctest, whose time goes on only when everybody waits for it.
//
// It is for tests alone, and imports nothing of ours. Every test calls Run in place of synctest.Test, which the linter
// refuses.
package bubbletest

import (
	"runtime"
	"testing"
	"testing/synctest"
)

// Run runs a test in a bubble, on one processor. On two, a test with many timers ends now and then with SIGSEGV under the
// race detector: the timers of a bubble share one context of the detector, and two goroutines that receive from timers
// at once use it at once (golang/go#78156). The detector sees races on one processor too: it compares what happened
// before what, and not when.
//
// Tests that run in bubbles do not run beside others of their package: the number of processors is of the process.
func Run(t *testing.T, test func(*testing.T)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, test) //nolint:forbidigo // this is the one place
}
