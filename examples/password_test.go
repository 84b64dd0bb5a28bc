package examples

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// refusedLimit bounds the wait for a worker to end that Redis refuses for a minute.
const refusedLimit = 5 * time.Minute

// refusedEnd: a process keeps the password that it was started with. While Redis refuses that for a minute it ends, and
// the next process of the pod has the present one. All wait for the same minute.
func refusedEnd(t *testing.T, workers map[string][]string) {
	type play struct {
		name  string
		stage *stage
		pod   *pod
	}
	var plays []play
	for worker, command := range workers {
		for name, begin := range map[string]func(*testing.T, *stage) *pod{
			"the password becomes another":              rotated,
			"a password is set and the worker has none": lockedOut,
		} {
			s := &stage{command: command, queue: "tasks", journal: &journal{t: t}}
			plays = append(plays, play{worker + "/" + name, s, begin(t, s)})
		}
	}
	for _, p := range plays {
		p.pod.waitForRefusal(t, p.name)
		p.stage.password = "new"
		p.pod.start(t)
		p.stage.waitFor(t, "done t-2")
		p.stage.waitForEmpty(t)
		p.pod.grant(t)
		p.pod.waitForExit(t)
	}
}

// rotated: somebody sets another password, and the worker's connection ends.
func rotated(t *testing.T, s *stage) *pod {
	s.username, s.password = "worker", "old"
	s.startRedis(t)
	p := s.startPod(t)
	s.push(t, `{"id":"t-1","ms":0}`)
	s.waitFor(t, "done t-1")
	s.waitForIdle(t)
	s.do(t, "ACL", "SETUSER", "admin", "on", ">admin", "~*", "+@all")
	s.connect(t, rueidis.ClientOption{Username: "admin", Password: "admin"})
	s.do(t, "ACL", "DELUSER", "worker") // which ends its connections
	s.do(t, "ACL", "SETUSER", "worker", "on", ">new", "~*", "+@all")
	s.push(t, `{"id":"t-2","ms":0}`)
	return p
}

// lockedOut: Redis asks for a password for the first time, and the worker has none.
func lockedOut(t *testing.T, s *stage) *pod {
	s.startRedis(t)
	s.push(t, `{"id":"t-2","ms":0}`)
	s.do(t, "CONFIG", "SET", "requirepass", "new")
	return s.startPod(t)
}

// waitForRefusal waits until the worker has ended because Redis refuses its password. The last line says so.
func (p *pod) waitForRefusal(t *testing.T, name string) {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(refusedLimit):
		t.Fatalf("%s: the worker has not ended within %v", name, refusedLimit)
	}
	if code := p.cmd.ProcessState.ExitCode(); code <= 0 {
		t.Errorf("%s: exit code %d, want another than 0", name, code)
	}
	lines := strings.Split(strings.TrimSpace(p.stderr.text()), "\n")
	last := lines[len(lines)-1]
	if !strings.Contains(last, "has refused the password for") || !strings.Contains(last, "a restart may have another") {
		t.Errorf("%s: the last line is %q, want that Redis has refused the password", name, last)
	}
}
