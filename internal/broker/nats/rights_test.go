package nats

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/natsserver/natsservertest"
)

// leastRights is the configuration that the docs print: its user is named operator.
func leastRights(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "brokers", "nats.md"))
	must(t, err)
	found := regexp.MustCompile("(?s)```conf\n(.*?)```").FindSubmatch(page)
	if found == nil {
		t.Fatal("docs/brokers/nats.md has no configuration")
	}
	return string(found[1])
}

func asOperator(s *broker.Settings) {
	s.Username, s.Password = "qscaler", broker.NewSecret("change-me")
	s.Own = json.RawMessage(`{"inboxPrefix": "_INBOX_qscaler"}`)
}

// What the docs give a user suffices: for depths, the doorbell, and a consumer that does not exist. It suffices for nothing
// else.
func TestLeastRights(t *testing.T) {
	s := natsservertest.Start(t, leastRights(t))
	worker := nats.UserInfo("worker", "change-me-too")
	_, js := admin(t, s, worker)
	makeStream(t, js, "orders", "orders.>")
	makeConsumer(t, js, "orders", jetstream.ConsumerConfig{Durable: "mail", AckPolicy: jetstream.AckExplicitPolicy})
	rung := make(chan []string, 100)
	d := connected(t, s, asOperator, func(queues ...string) { rung <- queues })
	for _, a := range ask(t, d, "orders/mail", "orders/later") {
		expect(t, "an empty stream", a, depthOf(0, 0))
	}
	if ok, why := d.(broker.Pusher).Pushes(); !ok {
		t.Errorf("it does not ring: %s", why)
	}
	publish(t, js, "orders.a", 2)
	<-rung
	for _, a := range ask(t, d, "orders/mail", "orders/later") {
		expect(t, "two messages", a, depthOf(2, 0))
	}
	_, own := admin(t, s, nats.UserInfo("qscaler", "change-me"), nats.CustomInboxPrefix("_INBOX_qscaler"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err := own.DeleteStream(t.Context(), "orders"); err == nil {
		t.Error("the operator's user may delete a stream")
	}
	if _, err := js.Stream(t.Context(), "orders"); err != nil {
		t.Errorf("the stream is gone: %v", err)
	}
}

// A user without a right to one of fifty queues is told so of that one. The others go on.
func TestOneOfFifty(t *testing.T) {
	s := natsservertest.Start(t, `authorization {users: [
		{user: admin, password: admin}
		{user: qscaler, password: change-me, permissions: {
			publish: {allow: "$JS.API.>", deny: ["$JS.API.CONSUMER.INFO.q-7.w", "$JS.API.STREAM.INFO.q-7"]}
			subscribe: {allow: ["_INBOX_qscaler.>", "work.>"], deny: "work.9"}
		}}
	]}`)
	_, js := admin(t, s, nats.UserInfo("admin", "admin"))
	var names []string
	for i := range 50 {
		stream := fmt.Sprint("q-", i)
		makeStream(t, js, stream, fmt.Sprint("work.", i))
		makeConsumer(t, js, stream, jetstream.ConsumerConfig{Durable: "w", AckPolicy: jetstream.AckExplicitPolicy})
		publish(t, js, fmt.Sprint("work.", i), i)
		names = append(names, stream+"/w")
	}
	d := connected(t, s, asOperator, nil)
	for range 2 {
		for i, a := range ask(t, d, names...) {
			if i == 7 {
				expectFailure(t, "without a right", a.Err, broker.ReasonPermissionDenied, "does not let this user publish to $JS.API.CONSUMER.INFO.q-7.w")
				continue
			}
			expect(t, names[i], a, depthOf(int64(i), 0))
		}
	}
	ok, why := d.(broker.Pusher).Pushes()
	if ok || !strings.Contains(why, `"work.9"`) && !strings.Contains(why, `"q-7"`) {
		t.Errorf("it rings: %t (%s)", ok, why)
	}
}

// Whole failures, each by its reason.
func TestNothingCanBeRead(t *testing.T) {
	for name, c := range map[string]struct {
		config string
		own    string
		reason broker.Reason
		says   string
	}{
		"an account without JetStream": {`accounts: {A: {users: [{user: qscaler, password: change-me}]}}`, ``, ReasonNoJetStream, "JetStream does not answer at $JS.API"},
		"a domain that there is not":   {`authorization {user: qscaler, password: change-me}`, `{"domain": "hub"}`, ReasonNoJetStream, "JetStream does not answer at $JS.hub.API"},
		"no right to receive answers": {`authorization {users: [{user: qscaler, password: change-me, permissions: {subscribe: "other.>"}}]}`, ``,
			broker.ReasonPermissionDenied, "subscribe to _INBOX.>"},
	} {
		t.Run(name, func(t *testing.T) {
			s := natsservertest.Start(t, c.config)
			d := connected(t, s, func(s *broker.Settings) {
				asOperator(s)
				s.Own = json.RawMessage(c.own)
			}, nil)
			_, err := d.Depths(t.Context(), []broker.Query{{Queue: "q", Group: "w"}})
			expectFailure(t, name, err, c.reason, c.says)
			if _, again := d.Depths(t.Context(), nil); again == nil || again.Error() != err.Error() {
				t.Errorf("the connection is of no use any more, and says %v", again)
			}
		})
	}
}
