package postgres

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/postgresserver"
	"github.com/quickube/qscaler/local/postgresserver/postgresservertest"
)

// BenchmarkDepths reads queues of a table with 100,000 rows, with a worker each, and tells what goes over the network.
func BenchmarkDepths(b *testing.B) {
	s := shared.Server(b)
	database := shared.Database(b)
	postgresservertest.Do(b, s, database, jobs, index,
		"INSERT INTO jobs (queue, state, worker) SELECT 'q-' || i % 10000, CASE WHEN i < 10000 THEN 'running' ELSE 'queued' END, 'w-' || i FROM generate_series(0, 99999) i",
		"ANALYZE jobs")
	own := server{database: database}
	for _, n := range []int{1, 100, 1000, 10_000} {
		b.Run(fmt.Sprint(n, "_queues"), func(b *testing.B) {
			config, err := parse(broker.Settings{Host: "127.0.0.1", Port: int32(s.Port()), Username: postgresserver.Admin, Own: []byte(own.block())})
			if err != nil {
				b.Fatal(err)
			}
			d, err := Open(b.Context(), config.(Config), silent)
			if err != nil {
				b.Fatal(err)
			}
			defer d.Close()
			traffic := &counting{Conn: d.(*driver).guard.Conn}
			d.(*driver).guard.Conn = traffic
			queries := make([]broker.Query, n)
			for i := range queries {
				queries[i] = broker.Query{Queue: fmt.Sprint("q-", i), Workers: []broker.Worker{{PodName: fmt.Sprint("w-", i)}}}
			}
			for b.Loop() {
				answers, err := d.Depths(context.Background(), queries)
				if err != nil || answers[n-1].Depth.Waiting.N != 9 || answers[n-1].Depth.Held[fmt.Sprint("w-", n-1)] != 1 {
					b.Fatalf("%+v, %v", answers[n-1:], err)
				}
			}
			b.ReportMetric(float64(traffic.sent.Load())/float64(b.N), "sent-B/op")
			b.ReportMetric(float64(traffic.received.Load())/float64(b.N), "received-B/op")
		})
	}
}

// counting counts what goes over a connection.
type counting struct {
	net.Conn
	sent, received atomic.Int64
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.received.Add(int64(n))
	return n, err
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.sent.Add(int64(n))
	return n, err
}
