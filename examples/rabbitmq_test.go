package examples

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/rabbitmqserver/rabbitmqservertest"
)

// storiesAtOnce is how many stories are told at once: a story mostly waits, for a task or for a refusal that lasts a minute.
const storiesAtOnce = 4

func TestMain(m *testing.M) {
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue && runtime.GOMAXPROCS(0) < storiesAtOnce {
		_ = parallel.Value.Set(strconv.Itoa(storiesAtOnce))
	}
	os.Exit(rabbitmqservertest.Main(m))
}

// TestRabbitMQWorker plays its stories against a real RabbitMQ, one after another: they share the server.
func TestRabbitMQWorker(t *testing.T) {
	t.Parallel()
	python, err := exampleworkers.PythonWith(t.Context(), "pika")
	must(t, err)
	stories := []struct {
		name  string
		story func(*testing.T, *stage, *rabbitmqservertest.VHost)
	}{
		{"kill -9 in the middle of a task", messagesSurvive},
		{"a grant while busy", leaveQueue((*pod).grant)},
		{"SIGTERM while busy", leaveQueue((*pod).terminate)},
		{"the server is killed under load", messagesSurviveTheServer},
	}
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			v := rabbitmqservertest.Start(t)
			s.story(t, &stage{
				command: []string{python, "worker-rabbitmq/worker.py"}, queue: "tasks", address: v.Addr(), username: v.User, password: v.Password,
				more:    []string{"QSCALER_BROKER_URL=amqp://" + v.Addr() + "/" + url.PathEscape(v.Name)},
				journal: &journal{t: t},
			}, v)
		})
	}
}

// send sends the tasks t-1 to t-n, of so many milliseconds each, to a queue of a type.
func send(t *testing.T, v *rabbitmqservertest.VHost, kind string, n, ms int) {
	t.Helper()
	ch := v.Channel()
	must(t, ch.Confirm(false))
	rabbitmqservertest.Declare(t, ch, "tasks", kind)
	for i := range n {
		rabbitmqservertest.Publish(t, ch, "tasks", fmt.Sprintf(`{"id":"t-%d","ms":%d}`, i+1, ms))
	}
}

func waitForNoMessages(t *testing.T, s *stage, tasks int) {
	t.Helper()
	eventually(t, "each task is done", func() bool {
		counts := s.journal.counts()
		for i := range tasks {
			if counts[fmt.Sprintf("done t-%d", i+1)] == 0 {
				return false
			}
		}
		return true
	})
}

// ready counts the messages that wait, as the queue itself says.
func ready(t *testing.T, v *rabbitmqservertest.VHost) int {
	t.Helper()
	q, err := v.Channel().QueueDeclarePassive("tasks", true, false, false, false, nil)
	must(t, err)
	return q.Messages
}

// messagesSurvive: what a worker held when it was killed, another does.
func messagesSurvive(t *testing.T, s *stage, v *rabbitmqservertest.VHost) {
	const tasks = 8
	send(t, v, "quorum", tasks, 300)
	first := s.startPod(t)
	s.waitFor(t, "started t-3")
	first.kill(t)
	second := s.startPod(t)
	waitForNoMessages(t, s, tasks)
	second.grant(t)
	second.waitForExit(t)
	doneAtLeastOnce(t, s, tasks)
	eventually(t, "the queue is empty", func() bool { return ready(t, v) == 0 })
}

// A server of 3.10 that is killed within seconds of the declaration of a quorum queue forgets where its messages are.
func messagesSurviveTheServer(t *testing.T, s *stage, v *rabbitmqservertest.VHost) {
	const tasks = 8
	send(t, v, "classic", tasks, 300)
	p := s.startPod(t)
	s.waitFor(t, "started t-3")
	must(t, v.Restart(context.Background()))
	waitForNoMessages(t, s, tasks) // some twice: of a classic queue, a server that is killed has not saved the last acknowledgements
	p.grant(t)
	p.waitForExit(t)
}

// leaveQueue: the worker finishes its task, takes no other, and holds nothing.
func leaveQueue(tell func(*pod, *testing.T)) func(*testing.T, *stage, *rabbitmqservertest.VHost) {
	return func(t *testing.T, s *stage, v *rabbitmqservertest.VHost) {
		send(t, v, "quorum", 2, 1200)
		p := s.startPod(t)
		s.waitFor(t, "started t-1")
		tell(p, t)
		p.waitForExit(t)
		if diff := cmp.Diff([]string{"started t-1", "done t-1"}, s.journal.events()); diff != "" {
			t.Errorf("events, -want +got:\n%s", diff)
		}
		eventually(t, "the other message waits", func() bool { return ready(t, v) == 1 })
	}
}
