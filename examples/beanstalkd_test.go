package examples

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker/beanstalkd/beanstalkdtest"
)

// TestBeanstalkdWorker plays its stories against a real Beanstalkd.
func TestBeanstalkdWorker(t *testing.T) {
	t.Parallel()
	stories := map[string]func(*testing.T, *stage, *beanstalkdtest.Server){
		"kill -9 in the middle of a task":       jobsSurvive,
		"the server is killed under load":       jobsSurviveTheServer,
		"a task longer than its TTR, done once": longerThanItsTTR,
		"a grant while busy":                    leaveTube((*pod).grant),
		"SIGTERM while busy":                    leaveTube((*pod).terminate),
		"a grant while the server is away":      leaveWithoutServer,
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := beanstalkdtest.Start(t)
			story(t, &stage{
				command: []string{"worker-beanstalkd/worker.py"}, queue: "tasks", address: server.Addr(),
				journal: &journal{t: t},
			}, server)
		})
	}
}

// ttr is the shortest time to run that there is.
const ttr = time.Second

// put sends the tasks t-1 to t-n, of so many milliseconds each.
func put(server *beanstalkdtest.Server, n, ms int) {
	producer := server.Client()
	for i := range n {
		producer.Put("tasks", fmt.Sprintf(`{"id":"t-%d","ms":%d}`, i+1, ms), 0, ttr)
	}
}

// jobs counts what the tube has.
func jobs(c *beanstalkdtest.Client) map[string]int {
	counts := map[string]int{}
	for _, state := range []string{"ready", "reserved", "buried", "delayed"} {
		counts[state] = c.Count("tasks", state)
	}
	return counts
}

func waitForNoJobs(t *testing.T, server *beanstalkdtest.Server) {
	t.Helper()
	c, none := server.Client(), map[string]int{"ready": 0, "reserved": 0, "buried": 0, "delayed": 0}
	eventually(t, "the tube has no jobs", func() bool { return maps.Equal(jobs(c), none) })
}

// doneAtLeastOnce: no task is lost, and no more than one was done again.
func doneAtLeastOnce(t *testing.T, s *stage, n int) {
	t.Helper()
	counts, again := s.journal.counts(), 0
	for i := range n {
		done := counts[fmt.Sprintf("done t-%d", i+1)]
		if done == 0 {
			t.Errorf("t-%d is lost", i+1)
		}
		again += max(0, done-1)
	}
	if again > 1 {
		t.Errorf("%d tasks were done again, and one was interrupted", again)
	}
}

// jobsSurvive: what a worker had reserved when it was killed, another does.
func jobsSurvive(t *testing.T, s *stage, server *beanstalkdtest.Server) {
	const tasks = 8
	put(server, tasks, 300)
	first := s.startPod(t)
	s.waitFor(t, "started t-3")
	first.kill(t)
	second := s.startPod(t)
	waitForNoJobs(t, server)
	second.grant(t)
	second.waitForExit(t)
	doneAtLeastOnce(t, s, tasks)
}

func jobsSurviveTheServer(t *testing.T, s *stage, server *beanstalkdtest.Server) {
	const tasks = 8
	put(server, tasks, 300)
	p := s.startPod(t)
	s.waitFor(t, "started t-3")
	server.Restart()
	waitForNoJobs(t, server)
	p.grant(t)
	p.waitForExit(t)
	doneAtLeastOnce(t, s, tasks)
}

func longerThanItsTTR(t *testing.T, s *stage, server *beanstalkdtest.Server) {
	put(server, 1, int((3 * ttr).Milliseconds()))
	p, other := s.startPod(t), s.startPod(t)
	s.waitFor(t, "done t-1")
	waitForNoJobs(t, server)
	p.grant(t)
	other.grant(t)
	p.waitForExit(t)
	other.waitForExit(t)
	if diff := cmp.Diff([]string{"started t-1", "done t-1"}, s.journal.events()); diff != "" {
		t.Errorf("events, -want +got:\n%s", diff)
	}
}

// leaveTube: the worker finishes its task, takes no other, and holds nothing.
func leaveTube(tell func(*pod, *testing.T)) func(*testing.T, *stage, *beanstalkdtest.Server) {
	return func(t *testing.T, s *stage, server *beanstalkdtest.Server) {
		put(server, 2, 1200)
		p := s.startPod(t)
		s.waitFor(t, "started t-1")
		tell(p, t)
		p.waitForExit(t)
		if diff := cmp.Diff([]string{"started t-1", "done t-1"}, s.journal.events()); diff != "" {
			t.Errorf("events, -want +got:\n%s", diff)
		}
		if diff := cmp.Diff(map[string]int{"ready": 1, "reserved": 0, "buried": 0, "delayed": 0}, jobs(server.Client())); diff != "" {
			t.Errorf("jobs, -want +got:\n%s", diff)
		}
	}
}

func leaveWithoutServer(t *testing.T, s *stage, server *beanstalkdtest.Server) {
	p := s.startPod(t)
	server.Kill()
	p.waitForErrors(t, 2)
	p.grant(t)
	p.waitForExit(t)
}
