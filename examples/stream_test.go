package examples

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/redis"
)

// streamGroup is the consumer group of the workers of a stream.
const streamGroup = "example-workers"

// TestStreamWorker plays its stories against a real Redis.
func TestStreamWorker(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]func(*testing.T, *stage){
		"kill -9 in the middle of a task":     streamKilled,
		"kill -9, and the pod is gone":        streamPodGone,
		"Redis is killed under load":          streamRedisKilled,
		"a grant while busy":                  leaveStream((*pod).grant),
		"SIGTERM while busy":                  leaveStream((*pod).terminate),
		"an entry that somebody has deleted":  streamDeleted,
		"the answer of XREADGROUP is dropped": streamDropped,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, &stage{
				command: []string{"worker-python-stream/worker.py"}, queue: "tasks", journal: &journal{t: t},
				more: []string{"QSCALER_CONSUMER_GROUP=" + streamGroup},
			})
		})
	}
}

// add adds the tasks t-1 to t-n, of so many milliseconds each.
func (s *stage) add(t *testing.T, n, ms int) {
	t.Helper()
	for i := range n {
		s.do(t, "XADD", s.queue, "*", "task", fmt.Sprintf(`{"id":"t-%d","ms":%d}`, i+1, ms))
	}
}

// streamDepth reads the stream as the operator does.
func (s *stage) streamDepth(t *testing.T, pods ...string) broker.Depth {
	t.Helper()
	q := broker.Query{Queue: s.queue, Group: streamGroup}
	for _, pod := range pods {
		q.Workers = append(q.Workers, broker.Worker{PodName: pod})
	}
	answers, err := s.operator(t).Depths(t.Context(), []broker.Query{q})
	must(t, err)
	must(t, answers[0].Err)
	return answers[0].Depth
}

// operator is what the operator reads the stream with.
func (s *stage) operator(t *testing.T) broker.Driver {
	t.Helper()
	d, err := redis.Open(t.Context(), redis.Config{Address: s.redis.address, Layout: redis.Streams}, func(...string) {})
	must(t, err)
	t.Cleanup(d.Close)
	return d
}

// hasNothing waits until nothing waits and nothing is held.
func (s *stage) hasNothing(t *testing.T, pods ...string) {
	t.Helper()
	eventually(t, "the stream has no tasks", func() bool {
		d := s.streamDepth(t, pods...)
		return d.Waiting.N == 0 && d.InFlight.N == 0
	})
}

// streamKilled: the next process of the pod does first what the killed one had.
func streamKilled(t *testing.T, s *stage) {
	s.startRedis(t)
	s.add(t, 2, 500)
	p := s.startPod(t)
	s.waitFor(t, "started t-1")
	p.kill(t)
	p.start(t)
	s.waitFor(t, "done t-2")
	s.hasNothing(t, podName)
	p.grant(t)
	p.waitForExit(t)
	want := []string{"started t-1", "started t-1", "done t-1", "started t-2", "done t-2"}
	if diff := cmp.Diff(want, s.journal.events()); diff != "" {
		t.Errorf("events, -want +got:\n%s", diff)
	}
}

// streamPodGone: what a dead pod had taken counts until the operator returns it. Then another pod does it, once.
func streamPodGone(t *testing.T, s *stage) {
	s.startRedis(t)
	const tasks = 3
	s.add(t, tasks, 500)
	p := s.startPod(t)
	s.waitFor(t, "started t-1")
	p.kill(t)
	if d := s.streamDepth(t, "other"); d.Waiting.N != tasks || d.InFlight.N != 0 {
		t.Errorf("with a dead pod: %+v, want all waiting", d)
	}
	operator := s.operator(t).(broker.Reclaimer)
	c := broker.Claim{Cluster: "c", Process: "p", Mark: "1"}
	_, err := operator.Claim(t.Context(), c, true)
	must(t, err)
	if moved, err := operator.Reclaim(t.Context(), c, broker.NameOf(s.queue, streamGroup), podName); moved != 1 || err != nil {
		t.Fatalf("returned %d, %v; want 1", moved, err)
	}
	s.more = append(s.more, "POD_NAME=other")
	other := s.startPod(t)
	s.waitFor(t, "done t-1")
	s.hasNothing(t, "other")
	other.grant(t)
	other.waitForExit(t)
	want := map[string]int{"started t-1": 2, "done t-1": 1, "started t-2": 1, "done t-2": 1, "started t-3": 1, "done t-3": 1}
	if diff := cmp.Diff(want, s.journal.counts()); diff != "" {
		t.Errorf("events, -want +got:\n%s", diff)
	}
	if consumers, err := s.do(t, "XINFO", "CONSUMERS", s.queue, streamGroup).ToArray(); err != nil || len(consumers) != 0 {
		t.Errorf("%d consumers are left, %v; want none", len(consumers), err)
	}
}

// streamRedisKilled: with appendfsync always no task is lost, and none is done twice.
func streamRedisKilled(t *testing.T, s *stage) {
	s.startRedis(t)
	const tasks = 20
	s.add(t, tasks, 10)
	want := map[string]int{}
	for i := range tasks {
		want[fmt.Sprintf("started t-%d", i+1)], want[fmt.Sprintf("done t-%d", i+1)] = 1, 1
	}
	p := s.startPod(t)
	s.waitFor(t, "done t-7")
	s.redis.kill(t)
	s.redis.start(t)
	s.waitFor(t, fmt.Sprintf("done t-%d", tasks))
	s.hasNothing(t, podName)
	p.grant(t)
	p.waitForExit(t)
	if diff := cmp.Diff(want, s.journal.counts()); diff != "" {
		t.Errorf("events, -want +got:\n%s", diff)
	}
}

// leaveStream: the worker finishes its task, takes no other, and its consumer is gone.
func leaveStream(tell func(*pod, *testing.T)) func(*testing.T, *stage) {
	return func(t *testing.T, s *stage) {
		s.startRedis(t)
		s.add(t, 2, 1200)
		p := s.startPod(t)
		s.waitFor(t, "started t-1")
		tell(p, t)
		p.waitForExit(t)
		if diff := cmp.Diff([]string{"started t-1", "done t-1"}, s.journal.events()); diff != "" {
			t.Errorf("events, -want +got:\n%s", diff)
		}
		if d := s.streamDepth(t, podName); d.Waiting.N != 1 || d.InFlight.N != 0 {
			t.Errorf("depth %+v, want 1 waiting", d)
		}
		if consumers, err := s.do(t, "XINFO", "CONSUMERS", s.queue, streamGroup).ToArray(); err != nil || len(consumers) != 0 {
			t.Errorf("%d consumers are left, %v; want none", len(consumers), err)
		}
	}
}

// streamDeleted: what the pod holds and somebody has deleted is no task, and keeps nobody.
func streamDeleted(t *testing.T, s *stage) {
	s.startRedis(t)
	s.add(t, 2, 0)
	s.do(t, "XGROUP", "CREATE", s.queue, streamGroup, "0")
	entries, err := s.do(t, "XREADGROUP", "GROUP", streamGroup, podName, "COUNT", "1", "STREAMS", s.queue, ">").AsXRead()
	must(t, err)
	s.do(t, "XDEL", s.queue, entries[s.queue][0].ID)
	p := s.startPod(t)
	s.waitFor(t, "done t-2")
	s.hasNothing(t, podName)
	p.grant(t)
	p.waitForExit(t)
	if diff := cmp.Diff([]string{"started t-2", "done t-2"}, s.journal.events()); diff != "" {
		t.Errorf("events, -want +got:\n%s", diff)
	}
}

// streamDropped: Redis gives an entry to the worker, who does not learn of it. It finds the entry among its own.
func streamDropped(t *testing.T, s *stage) {
	s.startRedis(t)
	proxy := s.startProxy(t)
	s.do(t, "XGROUP", "CREATE", s.queue, streamGroup, "0", "MKSTREAM")
	p := s.startPod(t)
	proxy.drop("XREADGROUP", cutReply)
	proxy.waitForLoss(t)
	s.add(t, 1, 0)
	s.waitFor(t, "done t-1")
	s.hasNothing(t, podName)
	p.grant(t)
	p.waitForExit(t)
	if diff := cmp.Diff([]string{"started t-1", "done t-1"}, s.journal.events()); diff != "" {
		t.Errorf("events, -want +got:\n%s", diff)
	}
}
