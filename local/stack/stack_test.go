package stack

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
)

func TestADirectoryIsForOneStack(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "qscaler", "local", "demo")
	first, err := takeLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := takeLock(dir); err == nil {
		t.Fatal("two stacks have the same directory")
	}
	if err := os.WriteFile(filepath.Join(dir, nodeLog), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := first.release(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(filepath.Dir(dir))); !os.IsNotExist(err) {
		t.Errorf("what was made for the directory is still there: %v", err)
	}
	second, err := takeLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.release(); err != nil {
		t.Fatal(err)
	}
}

// A state directory is removed with its parts. What local mode has not made stays, and a directory that has such things
// is refused before anything is removed.
func TestWhatIsNotOursStays(t *testing.T) {
	t.Parallel()
	t.Run("a directory that was there", func(t *testing.T) {
		dir := t.TempDir()
		l, err := takeLock(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.release(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string(nil), names(t, dir)); diff != "" {
			t.Errorf("in it (-want +got):\n%s", diff)
		}
	})
	t.Run("what came while it was in use", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "mine")
		l, err := takeLock(dir)
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, "notes.txt", "node/x")
		if err := l.release(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"notes.txt"}, names(t, dir)); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
	})
	t.Run("a directory that a killed run has made", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "mine")
		killed, err := takeLock(dir)
		if err != nil {
			t.Fatal(err)
		}
		_ = killed.file.Close()
		l, err := takeLock(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.release(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("it is still there: %v", err)
		}
	})
	for name, files := range map[string][]string{
		"somebody's files":                     {"thesis.tex"},
		"files that have the name of our part": {"node/package.json"},
		"our parts and something else":         {lockName, "node/x", "thesis.tex"},
		"a directory with the lock's name":     {lockName + "/x"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, files...)
			before := names(t, dir)
			if _, err := takeLock(dir); err == nil || !strings.Contains(err.Error(), "--dir") {
				t.Errorf("taken: %v", err)
			}
			if diff := cmp.Diff(before, names(t, dir)); diff != "" {
				t.Errorf("in it afterwards (-want +got):\n%s", diff)
			}
		})
	}
}

// write makes files, with the directories that they need.
func write(t *testing.T, dir string, files ...string) {
	t.Helper()
	for _, file := range files {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("cut off in the mid"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestAStateThatCannotBeKeptNamesItsDirectoryAndTheRemedy(t *testing.T) {
	scratch := t.TempDir()
	file := filepath.Join(scratch, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(file, "qscaler", "local", "up")
	_, err := takeLock(dir)
	for _, word := range []string{dir, "--dir", "XDG_CACHE_HOME"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s is not named: %v", word, err)
		}
	}
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	if _, err := DefaultDir("up"); err == nil || !strings.Contains(err.Error(), "--dir") {
		t.Errorf("without a home, --dir is not named: %v", err)
	}
}

func TestLeftoversAreRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, lockName, nodeLog, "node/processes/a-record", "operator/operator.log")
	ended, err := removeLeftovers(dir)
	if err != nil || len(ended) > 0 {
		t.Errorf("ended %v, %v", ended, err)
	}
	if diff := cmp.Diff([]string{lockName}, names(t, dir)); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

func TestTheGeneratedRoleIsRead(t *testing.T) {
	t.Parallel()
	var (
		role  rbacv1.ClusterRole
		lease rbacv1.Role
	)
	if err := readRoles(&role, &lease); err != nil {
		t.Fatal(err)
	}
	if len(role.Rules) == 0 || len(lease.Rules) == 0 || lease.Namespace != operatorNamespace {
		t.Errorf("got %+v and %+v", role, lease)
	}
}

// Outside of the source tree there is nothing to build, and the images that were asked for remain.
func TestWithoutExampleWorkersImagesRemain(t *testing.T) {
	t.Parallel()
	none := func(context.Context, string) (map[string][]string, error) { return nil, nil }
	s := &Stack{options: Options{
		Build: none, Dir: t.TempDir(), Images: map[string][]string{"mine": {"true"}}, Progress: func(string, ...any) {},
	}}
	if err := s.build(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]string{"mine": {"true"}}, s.options.Images); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
}

// A file is no directory: the words name a remedy.
func TestAFileIsRefusedAsTheDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := takeLock(file); err == nil || !strings.Contains(err.Error(), "give --dir a directory that can be written") {
		t.Errorf("%v", err)
	}
}
