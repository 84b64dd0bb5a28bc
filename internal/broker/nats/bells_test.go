package nats

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/natsserver/natsservertest"
)

// rings is a doorbell, and what it has rung for.
func rings() (ring broker.Doorbell, rung chan string) {
	rung = make(chan string, 1000)
	return func(queues ...string) {
		for _, queue := range queues {
			rung <- queue
		}
	}, rung
}

func awaitRing(t *testing.T, rung chan string, want string) {
	t.Helper()
	select {
	case got := <-rung:
		if got != want {
			t.Errorf("it rang for %q, want %q", got, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("it has not rung for %q", want)
	}
}

// subscriptions is how many the driver has, beside that of its answers.
func subscriptions(d broker.Driver) int { return d.(*driver).conn.NumSubscriptions() - 1 }

// It rings for what a consumer takes, once, and not while there are workers and messages. A stream whose messages have other
// subjects once they are stored rings by those of the producers.
func TestDoorbell(t *testing.T) {
	s := natsservertest.Start(t, "")
	conn, js := admin(t, s)
	makeStream(t, js, "orders", "orders.>")
	for _, name := range []string{"mail", "sms"} {
		makeConsumer(t, js, "orders", jetstream.ConsumerConfig{Durable: name, AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "orders." + name})
	}
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "moved", Subjects: []string{"in.>"}, Storage: jetstream.MemoryStorage,
		SubjectTransform: &jetstream.SubjectTransformConfig{Source: "in.>", Destination: "out.>"}})
	must(t, err)
	makeConsumer(t, js, "moved", jetstream.ConsumerConfig{Durable: "w", AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "out.a"})
	ring, rung := rings()
	d := connected(t, s, nil, ring)
	ask(t, d, "orders/mail", "orders/later")
	publish(t, js, "orders.mail", 3)
	awaitRing(t, rung, "orders")
	expect(t, "after the ring", ask(t, d, "orders/mail")[0], depthOf(3, 0))

	drained(t, rung)
	ask(t, d, "moved/w")
	publish(t, js, "in.a", 1)
	awaitRing(t, rung, "moved")

	withWorker := func(group string) {
		t.Helper()
		_, err := d.Depths(t.Context(), []broker.Query{{Queue: "orders", Group: group, Workers: []broker.Worker{{PodName: "p"}}}})
		must(t, err)
	}
	drained(t, rung)
	had := subscriptions(d)
	withWorker("mail")
	if n := subscriptions(d); n > had {
		t.Errorf("%d subscriptions for a queue with messages and workers, and %d before", n, had)
	}
	withWorker("sms") // it is empty, which is known from now on
	withWorker("sms") // its subjects are asked for
	publish(t, js, "orders.sms", 1)
	awaitRing(t, rung, "orders")
	must(t, conn.Publish("orders.mail", nil)) // ends what may be left, so that nothing rings later
	if ok, why := d.(broker.Pusher).Pushes(); !ok {
		t.Errorf("it does not ring: %s", why)
	}
}

// drained takes what has rung until it is quiet.
func drained(t *testing.T, rung chan string) {
	t.Helper()
	for {
		select {
		case <-rung:
		case <-time.After(500 * time.Millisecond):
			return
		}
	}
}

// What cannot ring is polled, and said.
func TestWhatDoesNotRing(t *testing.T) {
	s := natsservertest.Start(t, `authorization {users: [
		{user: admin, password: admin}
		{user: qscaler, password: change-me, permissions: {
			publish: ["$JS.API.CONSUMER.INFO.*.*", "$JS.API.STREAM.INFO.seen", "$JS.API.STREAM.INFO.copy", "$JS.API.STREAM.INFO.none"]
			subscribe: ["_INBOX_qscaler.>", "blind"]
		}}
	]}`)
	_, js := admin(t, s, natsUser("admin"))
	makeStream(t, js, "seen", "seen")
	makeStream(t, js, "blind", "blind")
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "copy", Mirror: &jetstream.StreamSource{Name: "seen"}, Storage: jetstream.MemoryStorage})
	must(t, err)
	for _, stream := range []string{"seen", "blind", "copy"} {
		makeConsumer(t, js, stream, jetstream.ConsumerConfig{Durable: "w", AckPolicy: jetstream.AckExplicitPolicy})
	}
	makeConsumer(t, js, "blind", jetstream.ConsumerConfig{Durable: "filtered", AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "blind"})
	for name, c := range map[string]struct{ queue, says string }{
		"a mirror":                            {"copy/w", `the stream "copy" is filled from another one`},
		"a subject without a right to it":     {"seen/w", `does not let this user subscribe to "seen"`},
		"a stream without a right to look":    {"blind/w", `the subjects of the stream "blind" could not be read`},
		"one whose consumer names a subject":  {"blind/filtered", ""},
		"a stream that is not there":          {"none/w", ""},
		"a name that cannot be that of a one": {"a.b/w", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := connected(t, s, asOperator, nil)
			says := func() string {
				ask(t, d, c.queue)
				_, why := d.(broker.Pusher).Pushes()
				return why
			}
			if c.says == "" {
				for range 3 {
					if why := says(); why != "" {
						t.Errorf("it does not ring: %s", why)
					}
				}
				return
			}
			for limit := time.Now().Add(20 * time.Second); ; <-time.After(10 * time.Millisecond) {
				why := says()
				if strings.Contains(why, c.says) {
					return
				}
				if time.Now().After(limit) {
					t.Fatalf("it says %q, want %q", why, c.says)
				}
			}
		})
	}
}

// A ring that comes before the stream has its message is repeated a few times, and no longer.
func TestARingThatIsEarly(t *testing.T) {
	ring, rung := rings()
	d := &driver{}
	d.closed, d.end = context.WithCancel(t.Context())
	defer d.end()
	b := newBells(d, ring)
	k, empty := key{"q", "w"}, depthOf(0, 0)
	b.unknown([]key{k}, map[key]bool{k: true}, time.Now())
	b.seen(k, empty)
	b.watched[k].rung = 1
	for range again {
		b.seen(k, empty)
		awaitRing(t, rung, "q")
	}
	b.seen(k, empty)
	if b.watched[k].rung != 0 {
		t.Error("it rings for ever")
	}
	b.watched[k].rung = 1
	b.seen(k, depthOf(1, 0))
	if b.watched[k].rung != 0 || len(rung) > 0 {
		t.Error("it rings for a queue that has its message")
	}
}

// What is not asked for any more is forgotten; what a server takes no more of is said.
func TestBellsEnd(t *testing.T) {
	s := natsservertest.Start(t, "")
	_, js := admin(t, s)
	makeStream(t, js, "q", "q.a", "q.b")
	d := connected(t, s, nil, nil)
	ask(t, d, "q/w")
	if n := subscriptions(d); n != 2 {
		t.Fatalf("%d subscriptions, want 2", n)
	}
	b := d.(*driver).bells
	b.mu.Lock()
	b.prune(time.Now().Add(forgetAfter / 2))
	kept := len(b.bells)
	b.prune(time.Now().Add(2 * forgetAfter))
	left := len(b.bells) + len(b.subs) + len(b.watched) + len(b.streams)
	b.mu.Unlock()
	if n := subscriptions(d); kept != 2 || left != 0 || n != 0 {
		t.Errorf("%d were kept, %d are left, and %d subscriptions", kept, left, n)
	}
	b.learnStream("q", streamInfo{}, errors.New("x"), time.Now())
	b.full()
	if ok, why := d.(broker.Pusher).Pushes(); ok || !strings.Contains(why, "no more subscriptions") {
		t.Errorf("it rings: %t (%s)", ok, why)
	}
}
