package programs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quickube/qscaler/local/programs"
)

var missing = programs.Program{Name: "no-such-server", Packages: []string{"no-such-server", "no-such-tools"}}

// Without apt-get in the PATH nothing can be installed.
func TestAMissingProgramIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for name, find := range map[string]func() error{
		"to find":    func() error { _, err := missing.Find(); return err },
		"to install": func() error { _, err := missing.Get(t.Context(), func(string, ...any) {}); return err },
	} {
		err := find()
		if err == nil || !strings.Contains(err.Error(), "apt-get install no-such-server no-such-tools") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with the remedy", name, err)
		}
	}
}

// Whoever does not want packages gets none: apt-get is not run.
func TestNothingIsInstalledWhereThatIsPrevented(t *testing.T) {
	dir := t.TempDir()
	ran := filepath.Join(dir, "ran")
	if err := os.WriteFile(filepath.Join(dir, "apt-get"), []byte("#!/bin/sh\n: > "+ran+"\n"), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	t.Setenv(programs.NoInstallVariable, "1")
	if _, err := missing.Get(t.Context(), t.Logf); err == nil {
		t.Error("it is there")
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("apt-get ran")
	}
}

// A package may put its programs beside the PATH.
func TestAProgramBesideThePath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server")
	if err := os.WriteFile(path, nil, 0o700); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	beside := missing
	beside.Paths = []string{path}
	if found, err := beside.Find(); err != nil || found != path {
		t.Errorf("Find = %q, %v, want %q", found, err, path)
	}
}
