package beanstalkd

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/beanstalkd/beanstalkdtest"
	"github.com/quickube/qscaler/internal/broker/brokertest"
)

func TestSuite(t *testing.T) {
	brokertest.Run(t, brokertest.Harness{
		Kind:     Kind(),
		InFlight: true,
		Ages:     true,
		Rounds:   1,
		Start: func(t *testing.T) brokertest.Server {
			return &server{Server: beanstalkdtest.Start(t), workers: map[holder]*pod{}}
		},
	})
}

// server is a Beanstalkd with a producer, and a connection for each worker of each queue: one that has watched two would
// take jobs of both.
type server struct {
	*beanstalkdtest.Server
	mu       sync.Mutex
	producer *beanstalkdtest.Client
	workers  map[holder]*pod
}

type holder struct{ queue, pod string }

// pod is a worker, and the jobs that it has reserved.
type pod struct {
	*beanstalkdtest.Client
	jobs []string
}

func (s *server) Settings() broker.Settings {
	return broker.Settings{Host: "127.0.0.1", Port: int32(s.Port())}
}

func (s *server) Push(queue string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.producer == nil {
		s.producer = s.Client()
	}
	for i := range n {
		s.producer.Put(queue, fmt.Sprint("job ", i), 0, time.Hour)
	}
}

func (s *server) worker(queue string, w broker.Worker) *pod {
	of := holder{queue, w.PodName}
	if s.workers[of] == nil {
		s.workers[of] = &pod{Client: s.Client()}
	}
	return s.workers[of]
}

func (s *server) Take(queue string, by broker.Worker, n int) (taken int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.worker(queue, by)
	for ; taken < n; taken++ {
		id := w.Reserve(queue)
		if id == "" {
			break
		}
		w.jobs = append(w.jobs, id)
	}
	return taken
}

func (s *server) Acknowledge(queue string, by broker.Worker, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.worker(queue, by)
	for range n {
		w.Delete(w.jobs[0])
		w.jobs = w.jobs[1:]
	}
}

func (s *server) Restart() {
	s.mu.Lock()
	s.producer, s.workers = nil, map[holder]*pod{}
	s.mu.Unlock()
	s.Server.Restart()
}
