package process_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/local/process"
)

func launcher(t *testing.T) (l *process.Launcher, records string) {
	t.Helper()
	records = filepath.Join(t.TempDir(), "records")
	l, _, err := process.NewLauncher(records)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l, records
}

func start(t *testing.T, l *process.Launcher, name, script string) (p *process.Process, log string) {
	t.Helper()
	log = filepath.Join(t.TempDir(), "log")
	p, err := l.Start(process.Command{Name: name, Argv: []string{"sh", "-c", script}, Env: os.Environ(), Dir: t.TempDir(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop(0) })
	return p, log
}

func TestExitCodes(t *testing.T) {
	l, records := launcher(t)
	got := map[string]int{}
	for name, script := range map[string]string{"ok": "exit 0", "seven": "exit 7", "killed": "kill -9 $$", "terminated": "kill -TERM $$"} {
		p, _ := start(t, l, name, script)
		<-p.Done()
		got[name] = p.Exit().Code
	}
	if diff := cmp.Diff(map[string]int{"ok": 0, "seven": 7, "killed": 137, "terminated": 143}, got); diff != "" {
		t.Errorf("exit codes (-want +got):\n%s", diff)
	}
	if left, _ := os.ReadDir(records); len(left) > 0 {
		t.Errorf("records are left of processes that have ended: %v", left)
	}
}

func TestTheGroupEndsWithItsLeader(t *testing.T) {
	l, _ := launcher(t)
	p, log := start(t, l, "p", `sleep 1000 & echo $!; exit 0`)
	<-p.Done()
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	child := "/proc/" + strings.TrimSpace(string(data)) + "/stat"
	eventually(t, "the child has ended", func() bool {
		stat, err := os.ReadFile(child)
		return err != nil || strings.Contains(string(stat), ") Z ")
	})
}

// eventually looks at what the kernel does on its own.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

func TestStopKillsWhatDoesNotListen(t *testing.T) {
	l, _ := launcher(t)
	p, log := start(t, l, "p", `trap '' TERM; echo deaf; while :; do sleep 0.05; done`)
	eventually(t, "it does not listen", func() bool {
		data, _ := os.ReadFile(log)
		return len(data) > 0
	})
	if err := p.Stop(50 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if code := p.Exit().Code; code != 137 {
		t.Errorf("exit code %d, want 137", code)
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("signalling a process that has ended: %v", err)
	}
}

func TestALauncherEndsWhatAnEarlierOneLeft(t *testing.T) {
	l, records := launcher(t)
	p, _ := start(t, l, "left", "sleep 1000")
	_, killed, err := process.NewLauncher(records)
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if diff := cmp.Diff([]string{"left"}, killed); diff != "" {
		t.Errorf("killed (-want +got):\n%s", diff)
	}
}

func TestAStrangerIsSpared(t *testing.T) {
	l, _ := launcher(t)
	stranger, _ := start(t, l, "stranger", "sleep 1000")
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	for name, record := range map[string]string{
		"another start time": " 1 " + string(boot),
		"another boot":       " 1 00000000-0000-0000-0000-000000000000\n",
		"cut off":            "",
	} {
		records := t.TempDir()
		data := []byte(strconv.Itoa(stranger.PID()) + record)
		if err := os.WriteFile(filepath.Join(records, "old"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		next, killed, err := process.NewLauncher(records)
		if err != nil {
			t.Fatal(err)
		}
		next.Close()
		select {
		case <-stranger.Done():
			t.Fatalf("%s: a stranger was killed: %v", name, killed)
		default:
		}
	}
}

func TestAMissingProgram(t *testing.T) {
	l, _ := launcher(t)
	_, err := l.Start(process.Command{Name: "p", Argv: []string{"no-such-program"}, Env: []string{"PATH=/bin"}})
	if err == nil || !strings.Contains(err.Error(), "no-such-program") {
		t.Errorf("error %v, want one that names the program", err)
	}
}
