package propertytest_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/quickube/qscaler/internal/propertytest"
)

// failing is a test that notes how it fails, instead of failing.
type failing struct {
	testing.TB
	said   strings.Builder
	failed bool
}

func (f *failing) Errorf(format string, args ...any) {
	f.failed = true
	fmt.Fprintf(&f.said, format, args...)
}
func (f *failing) Log(...any)          {}
func (f *failing) Logf(string, ...any) {}
func (f *failing) Failed() bool        { return f.failed }
func (f *failing) FailNow()            {}

func TestAFailureLeavesNoFile(t *testing.T) {
	t.Chdir(t.TempDir())
	f := &failing{TB: t}
	propertytest.Check(f, func(t *rapid.T) {
		if n := rapid.IntRange(0, 100).Draw(t, "n"); n > 10 {
			t.Fatalf("%d is too much", n)
		}
	})
	if said := f.said.String(); !strings.Contains(said, "11 is too much") || !strings.Contains(said, "-rapid.seed=") || strings.Contains(said, "failfile") {
		t.Errorf("it says %q, want the failure and the seed that brings it back", said)
	}
	if files, err := os.ReadDir("."); err != nil || len(files) > 0 {
		t.Errorf("it leaves %v (%v)", files, err)
	}
}

func TestAPropertyThatHoldsPasses(t *testing.T) {
	n := 0
	propertytest.Check(t, func(t *rapid.T) {
		n++
		_ = rapid.Bool().Draw(t, "b")
	})
	if n == 0 {
		t.Error("nothing was tried")
	}
}
