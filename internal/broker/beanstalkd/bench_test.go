package beanstalkd

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/beanstalkd/beanstalkdtest"
)

// counting counts what the server sends.
type counting struct {
	net.Conn
	received atomic.Int64
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.received.Add(int64(n))
	return n, err
}

// BenchmarkDepths reads so many tubes in one pipeline; each has one job.
func BenchmarkDepths(b *testing.B) {
	for _, tubes := range []int{1, 100, 1000, 10000} {
		b.Run(fmt.Sprint(tubes), func(b *testing.B) {
			s := beanstalkdtest.Start(b)
			producer, queries := s.Client(), make([]broker.Query, tubes)
			for i := range queries {
				queries[i].Queue = fmt.Sprint("orders-", i)
				producer.Put(queries[i].Queue, "x", 0, time.Minute)
			}
			opened, err := Open(b.Context(), Config{Address: s.Addr()}, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(opened.Close)
			d := opened.(*driver)
			wire := &counting{Conn: d.conn}
			d.conn, d.in = wire, bufio.NewReaderSize(wire, 2*longestLine)
			commands, _ := pipeline(queries, make([]broker.Answer, tubes))
			for b.Loop() {
				answers, err := d.Depths(b.Context(), queries)
				if err != nil || answers[tubes-1].Depth.Waiting != broker.CountOf(1) {
					b.Fatalf("%+v, %v", answers[tubes-1], err)
				}
			}
			b.ReportMetric(float64(len(commands)), "B-sent/op")
			b.ReportMetric(float64(wire.received.Load())/float64(b.N), "B-received/op")
		})
	}
}

// BenchmarkOldestAges reads the ages of so many tubes; each has one job of 1 KiB.
func BenchmarkOldestAges(b *testing.B) {
	for _, tubes := range []int{1, 100} {
		b.Run(fmt.Sprint(tubes), func(b *testing.B) {
			s := beanstalkdtest.Start(b)
			producer, queues := s.Client(), make([]string, tubes)
			for i := range queues {
				queues[i] = fmt.Sprint("orders-", i)
				producer.Put(queues[i], strings.Repeat("x", 1<<10), 0, time.Minute)
			}
			opened, err := Open(b.Context(), Config{Address: s.Addr()}, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(opened.Close)
			for b.Loop() {
				ages, err := opened.(broker.AgeReader).OldestAges(b.Context(), queues)
				if err != nil || !ages[tubes-1].Known {
					b.Fatalf("%+v, %v", ages, err)
				}
			}
		})
	}
}
