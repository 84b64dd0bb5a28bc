package redis

import (
	"context"
	"strconv"
	"sync"
	"testing"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/brokertest"
	"github.com/quickube/qscaler/local/redisserver"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
	"github.com/quickube/qscaler/worker/redislist"
)

func TestSuite(t *testing.T) {
	brokertest.Run(t, brokertest.Harness{
		Kind:     Kind(),
		ByWorker: true,
		InFlight: true,
		Rings:    true,
		Rounds:   1,
		Start: func(t *testing.T) brokertest.Server {
			l := &listServer{t: t, server: redisservertest.Start(t)}
			l.connect("")
			return l
		},
		SetPassword: func(_ *testing.T, s brokertest.Server, password string) {
			l := s.(*listServer)
			l.do("CONFIG", "SET", "requirepass", password)
			l.connect(password)
		},
	})
}

// listServer is a server with lists, and a client that is producer and workers.
type listServer struct {
	t      *testing.T
	server *redisserver.Server

	mu     sync.Mutex
	client rueidis.Client
}

// connect makes the client anew.
func (l *listServer) connect(password string) {
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{l.server.Addr()}, Password: password, DisableCache: true, ForceSingleClient: true,
	})
	if err != nil {
		l.t.Fatalf("connecting: %v", err)
	}
	l.t.Cleanup(client.Close)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.client = client
}

// try is do with a refusal that is no failure of the test.
func (l *listServer) try(args ...string) rueidis.RedisResult {
	l.mu.Lock()
	c := l.client
	l.mu.Unlock()
	return c.Do(context.Background(), c.B().Arbitrary(args...).Build())
}

func (l *listServer) do(args ...string) rueidis.RedisResult {
	r := l.try(args...)
	if err := r.Error(); err != nil && !rueidis.IsRedisNil(err) {
		l.t.Errorf("%v: %v", args, err)
	}
	return r
}

func (l *listServer) Settings() broker.Settings {
	return broker.Settings{Host: "127.0.0.1", Port: int32(l.server.Port())}
}

func (l *listServer) Push(queue string, n int) {
	args := []string{"LPUSH", queue}
	for i := range n {
		args = append(args, "task "+strconv.Itoa(i))
	}
	if n > 0 {
		l.do(args...)
	}
}

func (l *listServer) Take(queue string, by broker.Worker, n int) (taken int) {
	for ; taken < n; taken++ {
		if l.do("LMOVE", queue, redislist.Processing(queue, by.PodName), "RIGHT", "LEFT").Error() != nil {
			break
		}
	}
	return taken
}

func (l *listServer) Acknowledge(queue string, by broker.Worker, n int) {
	for range n {
		l.do("RPOP", redislist.Processing(queue, by.PodName))
	}
}

func (l *listServer) Pause()  { l.must(l.server.Pause()) }
func (l *listServer) Resume() { l.must(l.server.Resume()) }

func (l *listServer) Restart() {
	l.must(l.server.Restart(context.Background()))
	l.connect("")
}

func (l *listServer) must(err error) {
	if err != nil {
		l.t.Error(err)
	}
}
