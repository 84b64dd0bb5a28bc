package rabbitmq

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/rabbitmqserver/rabbitmqservertest"
)

// counting counts what goes over a connection.
type counting struct {
	net.Conn
	sent, received *atomic.Int64
}

func (c counting) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.received.Add(int64(n))
	return n, err
}

func (c counting) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.sent.Add(int64(n))
	return n, err
}

// BenchmarkDepths reads so many queues: by declares alone, and with the management API as well.
func BenchmarkDepths(b *testing.B) {
	for _, queues := range []int{1, 100, 10_000} {
		v := rabbitmqservertest.Start(b)
		ch, queries := v.Channel(), make([]broker.Query, queues)
		for i := range queries {
			queries[i].Queue = fmt.Sprint("orders-", i)
			if _, err := ch.QueueDeclare(queries[i].Queue, false, false, false, false, nil); err != nil {
				b.Fatal(err)
			}
		}
		c := Config{Address: v.Addr(), Username: v.User, Password: broker.NewSecret(v.Password), VHost: v.Name, Statistics: DefaultStatisticsInterval}
		b.Run(fmt.Sprint(queues, "/declares"), func(b *testing.B) {
			l := counted(b, c)
			names := make([]string, queues)
			for i, q := range queries {
				names[i] = q.Queue
			}
			for b.Loop() {
				if _, err := l.declare(b.Context(), names); err != nil {
					b.Fatal(err)
				}
			}
		})
		c.Management = fmt.Sprint("127.0.0.1:", v.ManagementPort())
		b.Run(fmt.Sprint(queues, "/management"), func(b *testing.B) {
			m := newManagement(c)
			defer m.close()
			for b.Loop() {
				s, err := m.read(b.Context(), time.Now(), newAsked(), false)
				if err != nil || len(s.queues) != queues {
					b.Fatalf("%d queues, %v", len(s.queues), err)
				}
			}
		})
	}
}

// counted is a connection whose bytes are reported.
func counted(b *testing.B, c Config) *link {
	b.Helper()
	wire, err := connect(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	var sent, received atomic.Int64
	l, err := handshake(b.Context(), counting{wire, &sent, &received}, c)
	if err != nil {
		b.Fatal(err)
	}
	sent.Store(0)
	received.Store(0)
	b.Cleanup(func() {
		b.ReportMetric(float64(sent.Load())/float64(b.N), "B-sent/op")
		b.ReportMetric(float64(received.Load())/float64(b.N), "B-received/op")
		l.part()
	})
	return l
}
