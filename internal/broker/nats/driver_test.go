package nats

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/natsserver"
	"github.com/quickube/qscaler/local/natsserver/natsservertest"
)

// admin is a connection of a test to its server.
func admin(t testing.TB, s *natsserver.Server, options ...nats.Option) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	conn, err := nats.Connect("nats://"+s.Addr(), append(options, nats.Timeout(20*time.Second))...)
	must(t, err)
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn, jetstream.WithDefaultTimeout(20*time.Second))
	must(t, err)
	return conn, js
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// connected is a driver on a server, which ends with the test.
func connected(t testing.TB, s *natsserver.Server, shape func(*broker.Settings), ring broker.Doorbell) broker.Driver {
	t.Helper()
	d, err := tryConnect(t, s, shape, ring)
	must(t, err)
	t.Cleanup(d.Close)
	return d
}

func tryConnect(t testing.TB, s *natsserver.Server, shape func(*broker.Settings), ring broker.Doorbell) (broker.Driver, error) {
	t.Helper()
	settings := broker.Settings{Host: "127.0.0.1", Port: int32(s.Port())}
	if shape != nil {
		shape(&settings)
	}
	config, err := parse(settings)
	must(t, err)
	return Open(t.Context(), config.(Config), ring)
}

func makeStream(t testing.TB, js jetstream.JetStream, name string, subjects ...string) {
	t.Helper()
	_, err := js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: subjects, Storage: jetstream.MemoryStorage})
	must(t, err)
}

func makeConsumer(t testing.TB, js jetstream.JetStream, stream string, c jetstream.ConsumerConfig) jetstream.Consumer {
	t.Helper()
	c.MemoryStorage = true
	consumer, err := js.CreateConsumer(t.Context(), stream, c)
	must(t, err)
	return consumer
}

func publish(t testing.TB, js jetstream.JetStream, subject string, n int) {
	t.Helper()
	for range n {
		_, err := js.Publish(t.Context(), subject, []byte("work"))
		must(t, err)
	}
}

// ask reads queues named stream/consumer.
func ask(t testing.TB, d broker.Driver, names ...string) []broker.Answer {
	t.Helper()
	queries := make([]broker.Query, len(names))
	for i, name := range names {
		queries[i].Queue, queries[i].Group, _ = strings.Cut(name, "/")
	}
	answers, err := d.Depths(t.Context(), queries)
	must(t, err)
	return answers
}

func depthOf(waiting, inFlight int64) broker.Depth {
	return broker.Depth{Waiting: broker.CountOf(waiting), InFlight: broker.CountOf(inFlight), CountsAll: true}
}

// expect compares one answer.
func expect(t testing.TB, what string, got broker.Answer, want broker.Depth) {
	t.Helper()
	got.Depth.Settled = want.Settled // see TestSettled
	if diff := cmp.Diff(broker.Answer{Depth: want}, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// expectFailure compares why a queue has no depth.
func expectFailure(t testing.TB, what string, err error, reason broker.Reason, says string) {
	t.Helper()
	if broker.ReasonOf(err) != reason || !strings.Contains(fmt.Sprint(err), says) {
		t.Errorf("%s: %v (%s), want %s, and %q", what, err, broker.ReasonOf(err), reason, says)
	}
}

// What a consumer counts, by its filter, its policy and its kind.
func TestConsumers(t *testing.T) {
	s := natsservertest.Start(t, "")
	conn, js := admin(t, s)
	makeStream(t, js, "orders", "orders.>")
	makeConsumer(t, js, "orders", jetstream.ConsumerConfig{Durable: "all", AckPolicy: jetstream.AckExplicitPolicy})
	mail := makeConsumer(t, js, "orders", jetstream.ConsumerConfig{Durable: "mail", AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "orders.mail", AckWait: time.Hour})
	makeConsumer(t, js, "orders", jetstream.ConsumerConfig{Durable: "two", AckPolicy: jetstream.AckAllPolicy, FilterSubjects: []string{"orders.mail", "orders.sms"}})
	makeConsumer(t, js, "orders", jetstream.ConsumerConfig{Durable: "forgets", AckPolicy: jetstream.AckNonePolicy})
	received, err := conn.SubscribeSync("deliver.here")
	must(t, err)
	_, err = js.CreatePushConsumer(t.Context(), "orders", jetstream.ConsumerConfig{Durable: "pushed", DeliverSubject: "deliver.here", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Hour, MaxAckPending: 2})
	must(t, err)
	publish(t, js, "orders.mail", 3)
	publish(t, js, "orders.sms", 2)
	publish(t, js, "orders.fax", 1)
	batch, err := mail.Fetch(2)
	must(t, err)
	for range batch.Messages() {
		continue
	}
	for range 2 {
		_, err := received.NextMsg(20 * time.Second)
		must(t, err)
	}
	d := connected(t, s, nil, nil)
	got := ask(t, d, "orders/all", "orders/mail", "orders/two", "orders/forgets", "orders/pushed", "orders/mail")
	expect(t, "all messages", got[0], depthOf(6, 0))
	expect(t, "those of a filter", got[1], depthOf(1, 2))
	expect(t, "those of two filters", got[2], depthOf(5, 0))
	expect(t, "a consumer without acknowledgements", got[3], broker.Depth{Waiting: broker.CountOf(6), CountsAll: true})
	expect(t, "a push consumer", got[4], depthOf(4, 2))
	expect(t, "the same twice", got[5], depthOf(1, 2))
}

// What is settled grows by what is acknowledged, and by nothing that comes or is taken.
func TestSettled(t *testing.T) {
	s := natsservertest.Start(t, "")
	_, js := admin(t, s)
	makeStream(t, js, "orders", "orders.>")
	consumer := makeConsumer(t, js, "orders", jetstream.ConsumerConfig{Durable: "mail", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Hour})
	d := connected(t, s, nil, nil)
	settled := func(want int64) {
		t.Helper()
		if got := ask(t, d, "orders/mail")[0]; got.Err != nil || got.Depth.Settled != broker.CountOf(want) {
			t.Errorf("%+v, want %d settled", got, want)
		}
	}
	settled(0)
	publish(t, js, "orders.mail", 3)
	settled(0)
	batch, err := consumer.Fetch(2)
	must(t, err)
	for m := range batch.Messages() {
		settled(0)
		must(t, m.DoubleAck(t.Context()))
		settled(1)
		break
	}
}

// A message whose time to be acknowledged has passed is counted once.
func TestRedelivery(t *testing.T) {
	s := natsservertest.Start(t, "")
	_, js := admin(t, s)
	makeStream(t, js, "q", "q")
	c := makeConsumer(t, js, "q", jetstream.ConsumerConfig{Durable: "w", AckPolicy: jetstream.AckExplicitPolicy, AckWait: 100 * time.Millisecond})
	publish(t, js, "q", 3)
	d := connected(t, s, nil, nil)
	for range 3 { // it is redelivered twice
		batch, err := c.Fetch(1, jetstream.FetchMaxWait(20*time.Second))
		must(t, err)
		for range batch.Messages() {
			continue
		}
		got := ask(t, d, "q/w")[0]
		if n := got.Depth.Waiting.N + got.Depth.InFlight.N; got.Err != nil || n != 3 {
			t.Errorf("%+v, want 3 messages", got)
		}
	}
}

// A consumer that does not exist yet would get all that its stream has. It is there when somebody has made it, and gone when
// it was deleted; so is the stream.
func TestWhatDoesNotExist(t *testing.T) {
	s := natsservertest.Start(t, "")
	_, js := admin(t, s)
	d := connected(t, s, nil, nil)
	got := ask(t, d, "q/w", "q/w")
	for _, a := range got {
		expectFailure(t, "no stream", a.Err, broker.ReasonQueueNotFound, `stream "q", consumer "w": there is no such stream`)
	}
	makeStream(t, js, "q", "q")
	expect(t, "no consumer and no message", ask(t, d, "q/w")[0], depthOf(0, 0))
	publish(t, js, "q", 4)
	expect(t, "no consumer", ask(t, d, "q/w")[0], depthOf(4, 0))
	c := makeConsumer(t, js, "q", jetstream.ConsumerConfig{Durable: "w", AckPolicy: jetstream.AckExplicitPolicy, DeliverPolicy: jetstream.DeliverNewPolicy})
	expect(t, "a new consumer", ask(t, d, "q/w")[0], depthOf(0, 0))
	publish(t, js, "q", 2)
	batch, err := c.Fetch(1)
	must(t, err)
	for range batch.Messages() {
		continue
	}
	expect(t, "a consumer", ask(t, d, "q/w")[0], depthOf(1, 1))
	must(t, js.DeleteConsumer(t.Context(), "q", "w"))
	expect(t, "a consumer that is deleted", ask(t, d, "q/w")[0], depthOf(6, 0))
	must(t, js.DeleteStream(t.Context(), "q"))
	expectFailure(t, "a stream that is deleted", ask(t, d, "q/w")[0].Err, broker.ReasonQueueNotFound, "no such stream")
	makeStream(t, js, "q", "q")
	publish(t, js, "q", 1)
	expect(t, "a stream that is made anew", ask(t, d, "q/w")[0], depthOf(1, 0))
}

// The driver refuses the names that the server refuses, and reads all others.
func TestNames(t *testing.T) {
	s := natsservertest.Start(t, "")
	conn, js := admin(t, s)
	d := connected(t, s, nil, nil)
	names := []string{"", strings.Repeat("x", longestName), strings.Repeat("x", longestName+1), "a b", "a\tb", "übung", "日本"}
	for c := ' '; c < 0x7f; c++ {
		names = append(names, "n"+string(c))
	}
	for _, name := range names {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		_, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{fmt.Sprintf("subject.%x", name)}, Storage: jetstream.MemoryStorage})
		cancel()
		if len(name) == longestName { // its directory could not be made
			continue
		}
		answers, readErr := d.Depths(t.Context(), []broker.Query{{Queue: name, Group: "w"}})
		must(t, readErr)
		switch refused := broker.ReasonOf(answers[0].Err) == broker.ReasonInvalidQueue; {
		case err != nil && !refused:
			t.Errorf("the server refuses %q (%v), and the driver says %+v", name, err, answers[0])
		case err == nil && answers[0].Err != nil:
			t.Errorf("the server takes %q, and the driver says %v", name, answers[0].Err)
		}
		if err == nil {
			must(t, js.DeleteStream(t.Context(), name))
		}
	}
	for name, says := range map[string]string{"": "a stream is read by its consumers; set scaleConfig.consumerGroup", "a.b": "may not have any of", "a b": "white space", strings.Repeat("x", 256): "it has 256 bytes"} {
		answers, err := d.Depths(t.Context(), []broker.Query{{Queue: "q", Group: name}})
		must(t, err)
		expectFailure(t, "a consumer named "+name, answers[0].Err, broker.ReasonInvalidGroup, says)
	}
	if conn.IsClosed() {
		t.Error("the server has closed the connection")
	}
}

func natsUser(name string) nats.Option { return nats.UserInfo(name, name) }
