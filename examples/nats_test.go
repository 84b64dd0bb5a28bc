package examples

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/quickube/qscaler/local/natsserver"
	"github.com/quickube/qscaler/local/natsserver/natsservertest"
)

// natsStream is a server with one stream and its consumer, which the worker under test shares.
type natsStream struct {
	*natsserver.Server
	js jetstream.JetStream
}

// natsAckWait is how soon the server gives a message of a worker that says nothing to another one.
const natsAckWait = 2 * time.Second

// TestNATSWorker plays its stories against a real nats-server.
func TestNATSWorker(t *testing.T) {
	t.Parallel()
	binaries := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", binaries, "./worker-nats").CombinedOutput(); err != nil {
		t.Fatalf("building the worker, %v\n%s", err, out)
	}
	stories := map[string]func(*testing.T, *stage, *natsStream){
		"kill -9 in the middle of a task":            natsSurvivesAKill,
		"the server is killed under load":            natsSurvivesItsServer,
		"a task longer than its ack_wait, done once": longerThanItsAckWait,
		"a grant while busy":                         leaveNATS((*pod).grant),
		"SIGTERM while busy":                         leaveNATS((*pod).terminate),
		"a grant while the server is away":           leaveWithoutNATS,
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newNATSStream(t)
			story(t, &stage{
				command: []string{filepath.Join(binaries, "worker-nats")}, queue: "tasks", address: server.Addr(), password: "hush",
				more: []string{"QSCALER_BROKER_URL=nats://" + server.Addr(), "QSCALER_CONSUMER_GROUP=workers"}, journal: &journal{t: t},
			}, server)
		})
	}
}

func newNATSStream(t *testing.T) *natsStream {
	t.Helper()
	s := &natsStream{Server: natsservertest.Start(t, `authorization {token: "hush"}`)}
	conn, err := nats.Connect("nats://"+s.Addr(), nats.Token("hush"), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	must(t, err)
	t.Cleanup(conn.Close)
	s.js, err = jetstream.New(conn, jetstream.WithDefaultTimeout(waitLimit))
	must(t, err)
	_, err = s.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "tasks", Subjects: []string{"tasks"}, Retention: jetstream.WorkQueuePolicy})
	must(t, err)
	_, err = s.js.CreateConsumer(t.Context(), "tasks", jetstream.ConsumerConfig{Durable: "workers", AckPolicy: jetstream.AckExplicitPolicy, AckWait: natsAckWait})
	must(t, err)
	return s
}

// publish sends the tasks t-1 to t-n, of so many milliseconds each.
func (s *natsStream) publish(t *testing.T, n, ms int) {
	t.Helper()
	for i := range n {
		_, err := s.js.Publish(t.Context(), "tasks", fmt.Appendf(nil, `{"id":"t-%d","ms":%d}`, i+1, ms))
		must(t, err)
	}
}

// messages counts what waits and what is in flight; -1 while the server does not answer.
func (s *natsStream) messages(t *testing.T) (waiting, inFlight int) {
	t.Helper()
	consumer, err := s.js.Consumer(t.Context(), "tasks", "workers")
	if err != nil {
		return -1, -1
	}
	info := consumer.CachedInfo()
	return int(info.NumPending), info.NumAckPending
}

func (s *natsStream) waitForNone(t *testing.T) {
	t.Helper()
	eventually(t, "the stream has no messages", func() bool {
		waiting, inFlight := s.messages(t)
		return waiting == 0 && inFlight == 0
	})
}

// natsSurvivesAKill: what a worker had taken when it was killed, another does.
func natsSurvivesAKill(t *testing.T, s *stage, server *natsStream) {
	const tasks = 8
	server.publish(t, tasks, 300)
	first := s.startPod(t)
	s.waitFor(t, "started t-3")
	first.kill(t)
	second := s.startPod(t)
	server.waitForNone(t)
	second.grant(t)
	second.waitForExit(t)
	doneAtLeastOnce(t, s, tasks)
}

func natsSurvivesItsServer(t *testing.T, s *stage, server *natsStream) {
	const tasks = 8
	server.publish(t, tasks, 300)
	p := s.startPod(t)
	s.waitFor(t, "started t-3")
	must(t, server.Restart(t.Context()))
	server.waitForNone(t)
	p.grant(t)
	p.waitForExit(t)
	doneAtLeastOnce(t, s, tasks)
}

func longerThanItsAckWait(t *testing.T, s *stage, server *natsStream) {
	server.publish(t, 1, int((3 * natsAckWait).Milliseconds()))
	p, other := s.startPod(t), s.startPod(t)
	s.waitFor(t, "done t-1")
	server.waitForNone(t)
	p.grant(t)
	other.grant(t)
	p.waitForExit(t)
	other.waitForExit(t)
	if diff := cmp.Diff([]string{"started t-1", "done t-1"}, s.journal.events()); diff != "" {
		t.Errorf("events, -want +got:\n%s", diff)
	}
}

// leaveNATS: the worker finishes its task, takes no other, and holds nothing.
func leaveNATS(tell func(*pod, *testing.T)) func(*testing.T, *stage, *natsStream) {
	return func(t *testing.T, s *stage, server *natsStream) {
		server.publish(t, 2, 1200)
		p := s.startPod(t)
		s.waitFor(t, "started t-1")
		tell(p, t)
		p.waitForExit(t)
		if diff := cmp.Diff([]string{"started t-1", "done t-1"}, s.journal.events()); diff != "" {
			t.Errorf("events, -want +got:\n%s", diff)
		}
		if waiting, inFlight := server.messages(t); waiting != 1 || inFlight != 0 {
			t.Errorf("%d wait and %d are in flight, want 1 and 0", waiting, inFlight)
		}
	}
}

func leaveWithoutNATS(t *testing.T, s *stage, server *natsStream) {
	p := s.startPod(t)
	must(t, server.Kill())
	p.waitForErrors(t, 2)
	p.grant(t)
	p.waitForExit(t)
}
