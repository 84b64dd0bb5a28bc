package process_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/quickube/qscaler/local/process"
)

// Who has stopped a process may rely on that: none of its threads does anything more.
func TestAStoppedProcessHasStopped(t *testing.T) {
	launcher, _, err := process.NewLauncher(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(launcher.Close)
	p, err := launcher.Start(process.Command{Name: "busy", Argv: []string{"/bin/sh", "-c", "while :; do :; done"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop(0) })
	for range 20 {
		if err := p.SignalGroup(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if state := stateOf(t, p.PID()); state != "T" {
			t.Fatalf("its state is %q, want T", state)
		}
		if err := p.SignalGroup(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
}

func stateOf(t *testing.T, pid int) string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	state, _, _ := strings.Cut(rest, " ")
	return state
}
