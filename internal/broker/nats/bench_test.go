package nats

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/natsserver/natsservertest"
)

// BenchmarkDepths reads so many consumers, a thousand of each stream, as the server allows by default; each has one message.
// Each has a worker, so that the doorbell takes no part.
func BenchmarkDepths(b *testing.B) {
	for _, consumers := range []int{1, 100, 10000} {
		b.Run(fmt.Sprint(consumers), func(b *testing.B) {
			s := natsservertest.Start(b, "")
			_, js := admin(b, s)
			queries := make([]broker.Query, consumers)
			for i := range queries {
				stream := fmt.Sprint("orders-", i/1000)
				if i%1000 == 0 {
					makeStream(b, js, stream, stream)
					publish(b, js, stream, 1)
				}
				queries[i] = broker.Query{Queue: stream, Group: fmt.Sprint("workers-", i%1000), Workers: []broker.Worker{{PodName: "w"}}}
				makeConsumer(b, js, stream, jetstream.ConsumerConfig{Durable: queries[i].Group, AckPolicy: jetstream.AckExplicitPolicy})
			}
			opened := connected(b, s, nil, nil)
			d := opened.(*driver)
			before := d.conn.Stats()
			for b.Loop() {
				answers, err := opened.Depths(b.Context(), queries)
				if err != nil {
					b.Fatal(err)
				}
				if answers[consumers-1].Depth.Waiting != broker.CountOf(1) {
					b.Fatalf("%+v", answers[consumers-1])
				}
			}
			after := d.conn.Stats()
			b.ReportMetric(float64(after.OutMsgs-before.OutMsgs)/float64(b.N), "requests/op")
			b.ReportMetric(float64(after.InBytes-before.InBytes)/float64(b.N), "B-received/op")
			b.ReportMetric(float64((consumers+mostAsked-1)/mostAsked), "round-trips/op")
		})
	}
}

// BenchmarkDoorbell is how long it takes from a message to the ring, at a queue that is empty.
func BenchmarkDoorbell(b *testing.B) {
	s := natsservertest.Start(b, "")
	_, js := admin(b, s)
	makeStream(b, js, "q", "q")
	rung := make(chan struct{}, 1000)
	d := connected(b, s, nil, func(...string) { rung <- struct{}{} })
	var took time.Duration
	for b.Loop() {
		ask(b, d, "q/w")
		for len(rung) > 0 {
			<-rung
		}
		began := time.Now()
		publish(b, js, "q", 1)
		<-rung
		took += time.Since(began)
	}
	b.ReportMetric(float64(took.Microseconds())/float64(b.N), "µs-to-the-ring/op")
}
