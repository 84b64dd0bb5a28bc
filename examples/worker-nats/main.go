// A QScaler worker on a consumer of NATS JetStream, on the drain file alone: no SDK, no Kubernetes client.
//
// A message stays the consumer's until it is acknowledged, which the worker does after the work. The server gives it to
// another worker when its ack_wait has passed. So the worker says that the work goes on, three times in each ack_wait; one
// that is killed says nothing any more, and loses no message.
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/quickube/qscaler/worker/drain"
)

// answerWithin is how long the server may take for an answer.
const answerWithin = 5 * time.Second

type worker struct {
	stream, consumer string
	leave            *drain.Watcher
	conn             *nats.Conn // nil while there is none
	queue            jetstream.Consumer
	ackWait          time.Duration
}

func main() {
	leave := drain.Watch(context.Background(), drain.WithSignals(syscall.SIGTERM)) // Ctrl-C ends it at once
	defer leave.Stop()
	w := worker{stream: required("QSCALER_QUEUE"), consumer: required("QSCALER_CONSUMER_GROUP"), leave: leave}
	w.run()
}

// run returns when the worker may leave. It holds no message then.
func (w *worker) run() {
	var locked lockout
	for failures := 0; ; {
		if _, told := w.leave.Look(); told {
			w.disconnect()
			return
		}
		err := w.turn()
		locked.note(err)
		if err == nil {
			failures = 0
			continue
		}
		failures++
		log.Print(err)
		w.disconnect()
		if locked.isOver() {
			log.Fatalf("NATS has refused the password for %s, and a restart may have another", refusedFor)
		}
		time.Sleep(min(time.Duration(failures)*500*time.Millisecond, 5*time.Second))
	}
}

// turn waits a second for a message, and does it. What it has not acknowledged after an error, another worker gets.
func (w *worker) turn() error {
	if err := w.connect(); err != nil {
		return err
	}
	batch, err := w.queue.Fetch(1, jetstream.FetchMaxWait(time.Second))
	if err != nil {
		return err
	}
	for message := range batch.Messages() {
		if err := w.do(message); err != nil {
			return err
		}
	}
	if err := batch.Error(); err != nil && !errors.Is(err, nats.ErrTimeout) {
		return err
	}
	return nil
}

// do does one message, and acknowledges it.
func (w *worker) do(message jetstream.Msg) error {
	over := make(chan struct{})
	told := make(chan struct{})
	go func() {
		defer close(told)
		ticker := time.NewTicker(w.ackWait / 3)
		defer ticker.Stop()
		for {
			select {
			case <-over:
				return
			case <-ticker.C:
				_ = message.InProgress() // if it does not arrive, the next one may
			}
		}
	}()
	handle(string(message.Data()))
	close(over)
	<-told
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
	defer cancel()
	return message.DoubleAck(ctx)
}

// connect finds the consumer, and makes it where it does not exist.
func (w *worker) connect() error {
	if w.conn != nil {
		return nil
	}
	options, err := options()
	if err != nil {
		log.Fatal(err)
	}
	conn, err := nats.Connect(required("QSCALER_BROKER_URL"), options...)
	if err != nil {
		return err
	}
	if err := w.find(conn); err != nil {
		conn.Close()
		return err
	}
	w.conn = conn
	return nil
}

func (w *worker) find(conn *nats.Conn) error {
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
	defer cancel()
	w.queue, err = js.Consumer(ctx, w.stream, w.consumer)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		w.queue, err = js.CreateConsumer(ctx, w.stream, jetstream.ConsumerConfig{Durable: w.consumer, AckPolicy: jetstream.AckExplicitPolicy})
	}
	if err != nil {
		return err
	}
	w.ackWait = w.queue.CachedInfo().Config.AckWait
	return nil
}

func (w *worker) disconnect() {
	if w.conn != nil {
		w.conn.Close()
		w.conn = nil
	}
}

func required(name string) string {
	value := os.Getenv(name)
	if value == "" {
		log.Fatalf("%s is not set", name)
	}
	return value
}
