package stack

import (
	"os"
	"path/filepath"
	"testing"

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
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
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

func TestOtherDirectoriesAreLeftAlone(t *testing.T) {
	t.Parallel()
	above := t.TempDir()
	l, err := takeLock(filepath.Join(above, "mine"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.release(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(above); err != nil {
		t.Error(err)
	}
}

func TestLeftoversAreRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, file := range []string{lockName, "node.log", "node/processes/a-record", "operator/operator.log"} {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("cut off in the mid"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ended, err := removeLeftovers(dir)
	if err != nil || len(ended) > 0 {
		t.Errorf("ended %v, %v", ended, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != lockName {
		t.Errorf("left: %v, %v; want only the lock", entries, err)
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
