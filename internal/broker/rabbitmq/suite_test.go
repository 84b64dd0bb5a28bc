package rabbitmq

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/brokertest"
	"github.com/quickube/qscaler/local/rabbitmqserver/rabbitmqservertest"
)

func TestMain(m *testing.M) { os.Exit(rabbitmqservertest.Main(m)) }

// With the management API the server tells what is in flight, and who holds it.
func TestSuite(t *testing.T) {
	brokertest.Run(t, brokertest.Harness{
		Kind: Kind(), InFlight: true, ByWorker: true, BusyOnly: true, Lags: true,
		Rounds: 4, // 30 of the 3000 queues are there: two on each of 16 channels, and the first time these are opened
		Start:  func(t *testing.T) brokertest.Server { return newServer(t, true) },
		SetPassword: func(_ *testing.T, s brokertest.Server, password string) {
			s.(*server).SetPassword(password)
		},
	})
}

// Without, it tells what waits.
func TestSuiteWithoutManagement(t *testing.T) {
	brokertest.Run(t, brokertest.Harness{
		Kind:   Kind(),
		Queues: 500, // those that are not there are dear
		Start:  func(t *testing.T) brokertest.Server { return newServer(t, false) },
		SetPassword: func(_ *testing.T, s brokertest.Server, password string) {
			s.(*server).SetPassword(password)
		},
	})
}

// server is a virtual host with a producer, and workers that connect from their addresses.
type server struct {
	*rabbitmqservertest.VHost
	t          *testing.T
	management bool
	// port is that of the management API, with TLS for whoever speaks that.
	port int

	mu       sync.Mutex
	producer *amqp.Channel
	conns    map[string]*amqp.Connection // by address
	held     map[holder][]taken
	want     map[string]rabbitmqservertest.Counts
	declared map[string]bool
	// together has the queues of which steps have changed something while nobody reads, nil while each step is waited for.
	together map[string]bool
}

type holder struct{ queue, address string }

// taken is a message, and the channel that holds nothing else.
type taken struct {
	ch      *amqp.Channel
	message amqp.Delivery
}

func newServer(t *testing.T, management bool) *server {
	s := &server{VHost: rabbitmqservertest.Start(t), t: t, management: management, want: map[string]rabbitmqservertest.Counts{}, declared: map[string]bool{}}
	s.port = sniff(t, "127.0.0.1:"+portOf(s.ManagementPort()))
	s.forget()
	t.Cleanup(s.disconnect)
	return s
}

func (s *server) forget() {
	s.producer, s.conns, s.held = nil, map[string]*amqp.Connection{}, map[holder][]taken{}
}

func (s *server) disconnect() {
	for _, conn := range s.conns {
		_ = conn.Close()
	}
}

func (s *server) Settings() broker.Settings {
	settings := broker.Settings{Host: "127.0.0.1", Port: int32(s.Port()), Username: s.User, Password: broker.NewSecret(s.Password)}
	block := map[string]any{"vhost": s.Name}
	if s.management {
		block["managementPort"], block["statisticsInterval"] = s.port, rabbitmqservertest.StatisticsInterval.String()
	}
	settings.Own, _ = json.Marshal(block)
	return settings
}

func (s *server) Push(queue string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.producer == nil {
		s.producer = s.Channel()
		if err := s.producer.Confirm(false); err != nil {
			s.t.Error(err)
		}
	}
	if !s.declared[queue] {
		rabbitmqservertest.Declare(s.t, s.producer, queue, "classic")
		s.declared[queue] = true
	}
	for range n {
		rabbitmqservertest.Publish(s.t, s.producer, queue, "job")
	}
	s.note(queue, int64(n), 0)
}

// note keeps the books of what is waiting and unacknowledged, and waits until the server's statistics say so too.
func (s *server) note(queue string, ready, unacked int64) {
	c := s.want[queue]
	c.Ready, c.Unacked = c.Ready+ready, c.Unacked+unacked
	s.want[queue] = c
	if s.together != nil {
		s.together[queue] = true
		return
	}
	s.await(queue)
}

// Together is brokertest.Batcher's.
func (s *server) Together(steps func()) {
	s.mu.Lock()
	s.together = map[string]bool{}
	s.mu.Unlock()
	steps()
	s.mu.Lock()
	defer s.mu.Unlock()
	queues := slices.Collect(maps.Keys(s.together))
	s.together = nil
	s.await(queues...)
}

// await waits until the statistics tell what there is of these queues.
func (s *server) await(queues ...string) {
	if !s.management {
		return
	}
	differs := func(counts map[string]rabbitmqservertest.Counts) bool {
		return slices.ContainsFunc(queues, func(queue string) bool { return counts[queue] != s.want[queue] })
	}
	for limit := time.Now().Add(time.Minute); ; <-time.After(20 * time.Millisecond) {
		counts := s.Counts()
		if !differs(counts) && s.channelsAgree() {
			break
		}
		if time.Now().After(limit) {
			s.t.Fatalf("the statistics of %q are %+v, want %+v", queues, counts, s.want)
		}
	}
	// What the driver remembers of the time before is over then.
	<-time.After(3*rabbitmqservertest.StatisticsInterval + 10*time.Millisecond)
}

// channelsAgree reports whether the statistics of the channels show each message that is held.
func (s *server) channelsAgree() bool {
	var channels []struct {
		Unacked int `json:"messages_unacknowledged"`
	}
	path := "/api/vhosts/" + url.PathEscape(s.Name) + "/channels?columns=name,messages_unacknowledged"
	if err := json.Unmarshal(s.Manage(http.MethodGet, path, nil), &channels); err != nil {
		s.t.Error(err)
	}
	told, held := 0, 0
	for _, c := range channels {
		told += c.Unacked
	}
	for _, messages := range s.held {
		held += len(messages)
	}
	return told == held
}

// Take has a channel consume one message at a time, which leaves it without room for another.
func (s *server) Take(queue string, w broker.Worker, n int) (count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n = min(n, int(s.want[queue].Ready)); n == 0 {
		return 0
	}
	if s.conns[w.PodIP] == nil {
		s.conns[w.PodIP] = s.Dial(w.PodIP)
	}
	of := holder{queue, w.PodIP}
	for range n {
		s.held[of] = append(s.held[of], s.takeOne(s.conns[w.PodIP], queue))
	}
	s.note(queue, -int64(n), int64(n))
	return n
}

func (s *server) takeOne(conn *amqp.Connection, queue string) taken {
	ch, err := conn.Channel()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := ch.Qos(1, 0, false); err != nil {
		s.t.Fatal(err)
	}
	messages, err := ch.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	select {
	case message := <-messages:
		return taken{ch, message}
	case <-time.After(time.Minute):
		s.t.Fatalf("no message of %s has come", queue)
		return taken{}
	}
}

func (s *server) Acknowledge(queue string, w broker.Worker, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n == 0 {
		return
	}
	of := holder{queue, w.PodIP}
	for _, one := range s.held[of][:n] {
		err := one.ch.Cancel(one.message.ConsumerTag, false) // or the next one comes
		if err == nil {
			err = one.message.Ack(false)
		}
		if err == nil {
			err = one.ch.Close() // which the server answers once it has read the acknowledgement
		}
		if err != nil {
			s.t.Errorf("acknowledging a message of %s: %v", queue, err)
		}
	}
	s.held[of] = s.held[of][n:]
	s.note(queue, 0, -int64(n))
}

func (s *server) Pause()  { s.must(s.VHost.Pause()) }
func (s *server) Resume() { s.must(s.VHost.Resume()) }

func (s *server) must(err error) {
	if err != nil {
		s.t.Error(err)
	}
}

func (s *server) Restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.must(s.VHost.Restart(context.Background()))
	s.disconnect()
	s.forget()
	for queue, c := range s.want {
		s.want[queue] = rabbitmqservertest.Counts{Ready: c.Ready + c.Unacked}
		// A queue that nobody has asked for anything since tells no statistics.
		if _, err := s.Channel().QueueDeclarePassive(queue, true, false, false, false, nil); err != nil {
			s.t.Errorf("asking %s: %v", queue, err)
		}
	}
	s.await(slices.Collect(maps.Keys(s.want))...)
}

// openDriver opens a connection to a virtual host that ends with the test.
func openDriver(t *testing.T, settings broker.Settings) broker.Driver {
	t.Helper()
	config, err := parse(settings)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(t.Context(), config.(Config), nil)
	if err != nil {
		t.Fatal(fmt.Errorf("opening, %w", err))
	}
	t.Cleanup(d.Close)
	return d
}
