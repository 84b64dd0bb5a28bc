package examples

import (
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// leaveBusy: the worker finishes its task, takes no other, and holds nothing.
func leaveBusy(tell func(*pod, *testing.T)) func(*testing.T, *stage) {
	return func(t *testing.T, s *stage) {
		s.startRedis(t)
		s.push(t, `{"id":"t-1","ms":1200}`)
		s.push(t, `{"id":"t-2","ms":0}`)
		p := s.startPod(t)
		s.waitFor(t, "started t-1")
		tell(p, t)
		p.waitForExit(t)
		if diff := cmp.Diff([]string{"started t-1", "done t-1"}, s.journal.events()); diff != "" {
			t.Errorf("events, -want +got:\n%s", diff)
		}
		if diff := cmp.Diff(map[string]int64{"waiting": 1, "held": 0}, s.depth(t)); diff != "" {
			t.Errorf("depth, -want +got:\n%s", diff)
		}
	}
}

// leaveIdle: an idle worker leaves within the second of its BLMOVE, and a little.
func leaveIdle(tell func(*pod, *testing.T)) func(*testing.T, *stage) {
	return func(t *testing.T, s *stage) {
		s.startRedis(t)
		s.push(t, `{"id":"t-1","ms":0}`)
		p := s.startPod(t)
		s.waitFor(t, "done t-1")
		s.waitForEmpty(t)
		told := time.Now()
		tell(p, t)
		p.waitForExit(t)
		if took := time.Since(told); took > 3*time.Second {
			t.Errorf("the worker left after %v, more than 3 s", took)
		}
	}
}

// noDrainFile: while the file cannot be read, the worker works on; once it can, it is read.
func noDrainFile(t *testing.T, s *stage) {
	s.startRedis(t)
	p := s.newPod(t)
	if err := os.RemoveAll(p.volume); err != nil {
		t.Fatal(err)
	}
	p.start(t)
	for _, id := range []string{"t-1", "t-2", "t-3"} {
		s.push(t, `{"id":"`+id+`","ms":0}`)
		s.waitFor(t, "done "+id)
	}
	if err := os.Mkdir(p.volume, 0o755); err != nil {
		t.Fatal(err)
	}
	p.grant(t)
	p.waitForExit(t)
}

// leftovers: what a process before left in the pod's list is done first, even with a grant, and the oldest
// first. The queue stays as it is.
func leftovers(t *testing.T, s *stage) {
	s.startRedis(t)
	s.do(t, "LPUSH", s.processing(), `{"id":"old-1","ms":0}`, `{"id":"old-2","ms":0}`)
	s.push(t, `{"id":"new","ms":0}`)
	p := s.newPod(t)
	p.grant(t)
	p.start(t)
	p.waitForExit(t)
	want := []string{"started old-1", "done old-1", "started old-2", "done old-2"}
	if diff := cmp.Diff(want, s.journal.events()); diff != "" {
		t.Errorf("events, -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int64{"waiting": 1, "held": 0}, s.depth(t)); diff != "" {
		t.Errorf("depth, -want +got:\n%s", diff)
	}
}
