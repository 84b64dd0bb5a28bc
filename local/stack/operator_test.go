package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// says keeps what is said for a person.
type says struct {
	mu    sync.Mutex
	lines []string
}

func (s *says) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

func (s *says) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.lines)
}

// first is what was said first.
func (s *says) first() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lines[0]
}

// startScript runs a shell script as the operator. It notes each of its starts.
func startScript(t *testing.T, script string) (o *Operator, s *says, starts func() int) {
	t.Helper()
	dir := t.TempDir()
	noted := filepath.Join(dir, "starts")
	s = &says{}
	o, err := newOperator(dir, Options{Operator: []string{"/bin/sh", "-c", "echo start >> " + noted + "; " + script}, Progress: s.say}, "kubeconfig", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.close(); err != nil {
			t.Error(err)
		}
	})
	if err := o.Start(); err != nil {
		t.Fatal(err)
	}
	return o, s, func() int {
		data, err := os.ReadFile(noted)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return strings.Count(string(data), "start")
	}
}

func await(t *testing.T, what string, check func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !check() {
		if time.Now().After(deadline) {
			t.Fatalf("waiting for %s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// An operator that ends by itself is started again, and it is said how it ended.
func TestAnOperatorThatEndsIsStartedAgain(t *testing.T) {
	t.Parallel()
	_, s, starts := startScript(t, "echo it cannot go on; exit 3")
	await(t, "the second start", func() bool { return starts() >= 2 })
	for _, words := range []string{"exit code 3", "started again in 1s", "it cannot go on"} {
		if !strings.Contains(s.first(), words) {
			t.Errorf("it is not said that %q: %s", words, s.first())
		}
	}
}

// One that was killed stays dead until it is started.
func TestAnOperatorThatIsKilledStaysDead(t *testing.T) {
	t.Parallel()
	o, s, starts := startScript(t, "sleep 1000")
	await(t, "the start", func() bool { return starts() == 1 })
	if err := o.Start(); err == nil {
		t.Error("it is started beside itself")
	}
	if err := o.Kill(); err != nil {
		t.Fatal(err)
	}
	<-time.After(restart.First + 200*time.Millisecond)
	if starts() != 1 || s.count() != 0 {
		t.Errorf("it was started %d times, and %d times it is said that it ended", starts(), s.count())
	}
	if err := o.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "the start", func() bool { return starts() == 2 })
}

// One that is killed in the pause before its start stays dead.
func TestAnOperatorIsKilledBeforeItIsStartedAgain(t *testing.T) {
	t.Parallel()
	o, s, starts := startScript(t, "exit 1")
	await(t, "the end", func() bool { return s.count() == 1 })
	if err := o.Kill(); err != nil {
		t.Fatal(err)
	}
	<-time.After(restart.First + 200*time.Millisecond)
	if starts() != 1 {
		t.Errorf("it was started %d times", starts())
	}
}
