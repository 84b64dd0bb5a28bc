package nats

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/brokertest"
	"github.com/quickube/qscaler/local/natsserver"
	"github.com/quickube/qscaler/local/natsserver/natsservertest"
)

// group is the durable consumer of each stream of the suite.
const group = "workers"

func TestSuite(t *testing.T) {
	brokertest.Run(t, brokertest.Harness{
		Kind: Kind(), Group: group,
		InFlight: true, Rings: true,
		Rounds: (3000 + mostAsked - 1) / mostAsked,
		Start: func(t *testing.T) brokertest.Server {
			return &server{t: t, Server: natsservertest.Start(t, ""), held: map[holder][]jetstream.Msg{}, made: map[string]bool{}, left: map[string]int{}}
		},
		Declare: func(s brokertest.Server, queues ...string) { s.(*server).declare(queues...) },
		SetPassword: func(t *testing.T, s brokertest.Server, password string) {
			if err := s.(*server).Reconfigure(t.Context(), fmt.Sprintf("authorization {token: %q}", password)); err != nil {
				t.Fatal(err)
			}
			s.(*server).login(nats.Token(password))
		},
	})
}

// server is a nats-server with streams of one subject each, and one durable pull consumer each.
type server struct {
	*natsserver.Server
	t testing.TB

	mu      sync.Mutex
	options []nats.Option
	conn    *nats.Conn
	held    map[holder][]jetstream.Msg
	made    map[string]bool
	// left counts the messages of each queue that were pushed and not acknowledged.
	left map[string]int
}

type holder struct{ queue, pod string }

func (s *server) Settings() broker.Settings {
	// The suite speaks TLS through a proxy, which wants the handshake first.
	return broker.Settings{Host: "127.0.0.1", Port: int32(s.Port()), Own: json.RawMessage(`{"handshakeFirst": true}`)}
}

func (s *server) login(option nats.Option) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options = []nats.Option{option}
	s.disconnect()
}

func (s *server) disconnect() {
	if s.conn != nil {
		s.conn.Close()
	}
	s.conn = nil
}

// js is a connection of producers and workers.
func (s *server) js() jetstream.JetStream {
	if s.conn == nil {
		conn, err := nats.Connect("nats://"+s.Addr(), append(s.options, nats.Timeout(20*time.Second))...)
		if err != nil {
			s.t.Errorf("connecting to nats-server: %v", err)
			panic(err)
		}
		s.conn = conn
		s.t.Cleanup(conn.Close)
	}
	js, err := jetstream.New(s.conn, jetstream.WithDefaultTimeout(20*time.Second))
	if err != nil {
		s.t.Errorf("using JetStream: %v", err)
	}
	return js
}

func (s *server) declare(queues ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	storage := jetstream.FileStorage
	if len(queues) > 100 { // it takes a tenth of the time
		storage = jetstream.MemoryStorage
	}
	for _, queue := range queues {
		s.declareOne(queue, storage)
	}
}

func (s *server) declareOne(queue string, storage jetstream.StorageType) {
	if s.made[queue] {
		return
	}
	s.made[queue] = true
	js, ctx := s.js(), s.t.Context()
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: queue, Subjects: []string{"work." + queue}, Storage: storage}); err != nil {
		s.t.Errorf("creating the stream %s: %v", queue, err)
	}
	if _, err := js.CreateConsumer(ctx, queue, jetstream.ConsumerConfig{Durable: group, AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Hour, MaxAckPending: -1, MemoryStorage: storage == jetstream.MemoryStorage}); err != nil {
		s.t.Errorf("creating the consumer of %s: %v", queue, err)
	}
}

func (s *server) Push(queue string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.declareOne(queue, jetstream.FileStorage)
	for range n {
		if _, err := s.js().Publish(s.t.Context(), "work."+queue, []byte("work")); err != nil {
			s.t.Errorf("publishing to %s: %v", queue, err)
		}
	}
	s.left[queue] += n
	s.awaitCounts(queue)
}

// awaitCounts waits until the consumer counts what the stream has: it learns of a message a moment after the producer has
// the word that it is stored.
func (s *server) awaitCounts(queue string) {
	for limit := time.Now().Add(20 * time.Second); ; <-time.After(time.Millisecond) {
		consumer, err := s.js().Consumer(s.t.Context(), queue, group)
		if err != nil {
			s.t.Errorf("finding the consumer of %s: %v", queue, err)
			return
		}
		info := consumer.CachedInfo()
		counts := int(info.NumPending) + info.NumAckPending
		if counts == s.left[queue] {
			return
		}
		if time.Now().After(limit) {
			s.t.Errorf("the consumer of %s counts %d messages, want %d", queue, counts, s.left[queue])
			return
		}
	}
}

func (s *server) Take(queue string, w broker.Worker, n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n == 0 {
		return 0
	}
	consumer, err := s.js().Consumer(s.t.Context(), queue, group)
	if err != nil {
		s.t.Errorf("finding the consumer of %s: %v", queue, err)
		return 0
	}
	batch, err := consumer.FetchNoWait(n)
	if err != nil {
		s.t.Errorf("taking from %s: %v", queue, err)
		return 0
	}
	taken := 0
	for m := range batch.Messages() {
		s.held[holder{queue, w.PodName}] = append(s.held[holder{queue, w.PodName}], m)
		taken++
	}
	if err := batch.Error(); err != nil && !errors.Is(err, jetstream.ErrNoMessages) {
		s.t.Errorf("taking from %s: %v", queue, err)
	}
	return taken
}

func (s *server) Acknowledge(queue string, w broker.Worker, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := holder{queue, w.PodName}
	for range n {
		if err := s.held[of][0].DoubleAck(s.t.Context()); err != nil {
			s.t.Errorf("acknowledging a message of %s: %v", queue, err)
		}
		s.held[of] = s.held[of][1:]
	}
	s.left[queue] -= n
	s.awaitCounts(queue)
}

func (s *server) Pause() { s.must(s.Server.Pause()) }

func (s *server) Resume() { s.must(s.Server.Resume()) }

func (s *server) Restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disconnect()
	s.must(s.Server.Restart(s.t.Context()))
}

func (s *server) must(err error) {
	if err != nil {
		s.t.Errorf("nats-server: %v", err)
	}
}
