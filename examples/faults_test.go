package examples

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// killed: the next process of the pod does the task that the killed one had.
func killed(t *testing.T, s *stage) {
	s.startRedis(t)
	s.push(t, `{"id":"t-1","ms":800}`)
	s.push(t, `{"id":"t-2","ms":0}`)
	p := s.startPod(t)
	s.waitFor(t, "started t-1")
	p.kill(t)
	p.start(t)
	s.waitFor(t, "done t-2")
	s.waitForEmpty(t)
	p.grant(t)
	p.waitForExit(t)
	want := []string{"started t-1", "started t-1", "done t-1", "started t-2", "done t-2"}
	if diff := cmp.Diff(want, s.journal.events()); diff != "" {
		t.Errorf("events, -want +got:\n%s", diff)
	}
}

// redisKilled: with appendfsync always no task is lost, and none is done twice.
func redisKilled(t *testing.T, s *stage) {
	s.startRedis(t)
	const tasks = 30
	want := map[string]int{}
	for i := range tasks {
		id := fmt.Sprintf("t-%d", i)
		s.push(t, `{"id":"`+id+`","ms":10}`)
		want["started "+id], want["done "+id] = 1, 1
	}
	p := s.startPod(t)
	for _, id := range []string{"t-7", "t-19"} {
		s.waitFor(t, "done "+id)
		s.redis.kill(t)
		s.redis.start(t)
	}
	s.waitForEmpty(t)
	p.grant(t)
	p.waitForExit(t)
	if diff := cmp.Diff(want, s.journal.counts()); diff != "" {
		t.Errorf("events, -want +got:\n%s", diff)
	}
}

// redisKilledWhileBusy: a task that was finished while Redis was away is acknowledged, not done again, and
// the worker does not leave before that, grant or not.
func redisKilledWhileBusy(t *testing.T, s *stage) {
	s.startRedis(t)
	s.push(t, `{"id":"t-1","ms":500}`)
	p := s.startPod(t)
	s.waitFor(t, "started t-1")
	s.redis.kill(t)
	p.grant(t)
	s.waitFor(t, "done t-1")
	p.waitForErrors(t, 2)
	s.redis.start(t)
	p.waitForExit(t)
	s.waitForEmpty(t)
	if diff := cmp.Diff([]string{"started t-1", "done t-1"}, s.journal.events()); diff != "" {
		t.Errorf("events, -want +got:\n%s", diff)
	}
}

// redisAway: the worker stays alive while Redis is away, and a grant holds all the same.
func redisAway(t *testing.T, s *stage) {
	s.startRedis(t)
	s.redis.kill(t)
	p := s.startPod(t)
	p.waitForErrors(t, 2)
	s.redis.start(t)
	s.push(t, `{"id":"t-1","ms":0}`)
	s.waitFor(t, "done t-1")
	s.waitForIdle(t)
	s.redis.kill(t)
	p.grant(t)
	p.waitForExit(t)
}

// refused: an error reply is no task. The worker complains, waits, and works on once Redis does.
func refused(t *testing.T, s *stage) {
	s.startRedis(t)
	s.do(t, "SET", s.processing(), "not a list")
	s.push(t, `{"id":"t-1","ms":0}`)
	p := s.startPod(t)
	p.waitForErrors(t, 2)
	s.do(t, "DEL", s.processing())
	s.waitFor(t, "done t-1")
	s.waitForEmpty(t)
	p.grant(t)
	p.waitForExit(t)
	if diff := cmp.Diff([]string{"started t-1", "done t-1"}, s.journal.events()); diff != "" {
		t.Errorf("events, -want +got:\n%s", diff)
	}
}

// full: the workers are those who free memory, with the rights that the documentation gives them.
func full(t *testing.T, s *stage) {
	s.startRedis(t)
	s.push(t, `{"id":"t-1","ms":0}`)
	s.push(t, `{"id":"t-2","ms":0}`)
	s.username, s.password = "worker", "password"
	s.do(t, s.setUser(t)...)
	s.do(t, "CONFIG", "SET", "maxmemory", "1")
	p := s.startPod(t)
	s.waitFor(t, "done t-2")
	s.waitForEmpty(t)
	p.grant(t)
	p.waitForExit(t)
	if diff := cmp.Diff([]string{"started t-1", "done t-1", "started t-2", "done t-2"}, s.journal.events()); diff != "" {
		t.Errorf("events, -want +got:\n%s", diff)
	}
}

// droppedReply: Redis executes the command and the worker does not learn of it, three times over. Nothing is
// stranded in the pod's list and nothing is done twice.
func droppedReply(command string, how drop) func(*testing.T, *stage) {
	return func(t *testing.T, s *stage) {
		s.startRedis(t)
		proxy := s.startProxy(t)
		losses := 3
		if how == holdReply {
			losses = 1 // each takes the 5 s after which a worker gives a connection up
		}
		p := s.startPod(t)
		for i := range losses {
			proxy.drop(command, how)
			s.push(t, fmt.Sprintf(`{"id":"t-%d","ms":0}`, i))
			proxy.waitForLoss(t)
			if i == losses-1 {
				p.grant(t)
				p.waitForExit(t)
			}
			s.waitForEmpty(t)
		}
		want := map[string]int{}
		for i := range losses {
			want[fmt.Sprintf("started t-%d", i)], want[fmt.Sprintf("done t-%d", i)] = 1, 1
		}
		if diff := cmp.Diff(want, s.journal.counts()); diff != "" {
			t.Errorf("events, -want +got:\n%s", diff)
		}
	}
}

// lateMove: the worker's connection is cut while BLMOVE blocks, and Redis does not notice. A task that comes
// now goes to the pod's list behind the worker's back. With a grant in its hand it still does that task.
func lateMove(t *testing.T, s *stage) {
	s.startRedis(t)
	proxy := s.startProxy(t)
	p := s.startPod(t)
	proxy.drop("BLMOVE", cutRequest)
	proxy.waitForLoss(t)
	p.grant(t)
	//nolint:forbidigo // well within the second of BLMOVE, after the worker saw the cut; nothing tells of that
	time.Sleep(300 * time.Millisecond)
	s.push(t, `{"id":"t-1","ms":0}`)
	p.waitForExit(t)
	if diff := cmp.Diff([]string{"started t-1", "done t-1"}, s.journal.events()); diff != "" {
		t.Errorf("events, -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int64{"waiting": 0, "held": 0}, s.depth(t)); diff != "" {
		t.Errorf("depth, -want +got:\n%s", diff)
	}
}
