// Package propertytest checks properties in tests, as rapid does, and leaves no file behind.
//
// It is for tests alone, and imports nothing of ours. Every test calls Check in place of rapid.Check, which the linter
// refuses: rapid writes the input of a failure to testdata/rapid and reads it back in every later run, so that a
// failure in one tree stays there after the defect is gone.
package propertytest

import (
	"flag"
	"sync"

	"pgregory.net/rapid"
)

// writeNoFiles sets rapid's flag as the command line would: rapid has no other way.
var writeNoFiles = sync.OnceValue(func() error { return flag.Set("rapid.nofailfile", "true") })

// Check tests a property with many inputs. A failure prints the flags that bring it back: -rapid.seed=N.
func Check(t rapid.TB, property func(*rapid.T)) {
	t.Helper()
	if err := writeNoFiles(); err != nil {
		t.Fatalf("telling rapid to write no files, %v", err)
	}
	rapid.Check(t, property) //nolint:forbidigo // this is the one place
}
