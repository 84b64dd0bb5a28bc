package examples

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// pod is a worker process and its drain file.
type pod struct {
	stage  *stage
	volume string // the directory of the drain file
	writes int
	stderr *journal
	cmd    *exec.Cmd
	exited chan struct{}
}

func (s *stage) newPod(t *testing.T) *pod {
	t.Helper()
	p := &pod{stage: s, volume: filepath.Join(t.TempDir(), "volume"), stderr: &journal{}}
	if err := os.Mkdir(p.volume, 0o755); err != nil {
		t.Fatal(err)
	}
	p.writeDrainFile(t, "")
	return p
}

// writeDrainFile swaps the file as the kubelet does: a new directory beside it, and a symlink renamed onto
// the old one. The old directory goes.
func (p *pod) writeDrainFile(t *testing.T, reason string) {
	t.Helper()
	p.writes++
	data := filepath.Join(p.volume, "..data")
	old, _ := os.Readlink(data)
	fresh := "..version" + strconv.Itoa(p.writes)
	must(t, os.Mkdir(filepath.Join(p.volume, fresh), 0o755))
	must(t, os.WriteFile(filepath.Join(p.volume, fresh, "drain"), []byte(reason), 0o644))
	must(t, os.Symlink(fresh, data+"_tmp"))
	must(t, os.Rename(data+"_tmp", data))
	if old == "" {
		must(t, os.Symlink("..data/drain", filepath.Join(p.volume, "drain")))
		return
	}
	must(t, os.RemoveAll(filepath.Join(p.volume, old)))
}

func (p *pod) start(t *testing.T) {
	t.Helper()
	cmd := exec.Command(p.stage.command[0], p.stage.command[1:]...)
	cmd.Env = append(os.Environ(), p.stage.env(filepath.Join(p.volume, "drain"))...)
	cmd.Stdout, cmd.Stderr = p.stage.journal, p.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second // a killed shell's child may hold stdout a little longer
	must(t, cmd.Start())
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait()
	}()
	p.cmd, p.exited = cmd, exited
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-exited
		if t.Failed() {
			t.Logf("stdout:\n%s\nstderr:\n%s", p.stage.journal.text(), p.stderr.text())
		}
	})
}

func (p *pod) grant(t *testing.T) { t.Helper(); p.writeDrainFile(t, "ScaleDown") }

func (p *pod) terminate(t *testing.T) {
	t.Helper()
	must(t, p.cmd.Process.Signal(syscall.SIGTERM))
}

// kill ends the process and its children at once, as the end of a container does.
func (p *pod) kill(t *testing.T) {
	t.Helper()
	must(t, syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL))
	<-p.exited
}

// waitForExit waits until the worker has left, which it does with code 0 and empty hands.
func (p *pod) waitForExit(t *testing.T) {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(waitLimit):
		t.Fatalf("the worker has not left within %v", waitLimit)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

// waitForErrors waits until the worker has complained n times.
func (p *pod) waitForErrors(t *testing.T, n int) {
	t.Helper()
	eventually(t, "the worker complains", func() bool {
		select {
		case <-p.exited:
			t.Fatal("the worker has left, and should have stayed")
		default:
		}
		return strings.Count(p.stderr.text(), "\n") >= n
	})
}

// journal collects what workers write.
type journal struct {
	t    *testing.T // set where every line must be an event
	mu   sync.Mutex
	data bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.data.Write(b)
}

func (j *journal) text() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.data.String()
}

// eventLine is the format that the examples' README promises.
var eventLine = regexp.MustCompile(`^[0-9]{13} ((?:started|done) (?:[A-Za-z0-9._:-]+|"(?:[ !#-\[\]-~]|\\x[0-9a-f]{2})*"))$`)

// events are the lines without their times, such as "started t-1".
func (j *journal) events() []string {
	var events []string
	for line := range strings.Lines(j.text()) {
		match := eventLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if match == nil {
			j.t.Errorf("not a line that the README promises: %q", line)
			continue
		}
		events = append(events, match[1])
	}
	return events
}

func (j *journal) counts() map[string]int {
	counts := map[string]int{}
	for _, event := range j.events() {
		counts[event]++
	}
	return counts
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
