package main

import (
	"strings"
	"testing"

	"github.com/quickube/qscaler/internal/version"
)

// --version says which version this is, and starts nothing.
func TestTheVersionIsSaid(t *testing.T) {
	cmd := newCommand()
	var out strings.Builder
	cmd.SetArgs([]string{"--version"})
	cmd.SetOut(&out)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := "qscaler-local version " + version.String() + "\n"; out.String() != want {
		t.Errorf("--version says %q, want %q", out.String(), want)
	}
}
