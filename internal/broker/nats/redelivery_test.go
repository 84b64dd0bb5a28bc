package nats

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/natsserver/natsservertest"
)

const unlessItSays = "the worker says in time, again and again, that it is in progress"

// What the settings of a consumer mean, whatever a server sends.
func TestTheRedeliveryOfAConsumer(t *testing.T) {
	cases := map[string]struct {
		info string
		want broker.Redelivery
	}{
		"ack_wait":           {`{"config":{"ack_policy":"explicit","ack_wait":30000000000,"max_deliver":-1}}`, broker.Redelivery{Known: true, After: 30 * time.Second, Setting: "ack_wait of the consumer", Unless: unlessItSays}},
		"a back-off":         {`{"config":{"ack_policy":"all","ack_wait":5000000000,"backoff":[5000000000,1000000000,60000000000],"max_deliver":5}}`, broker.Redelivery{Known: true, After: time.Second, Setting: "backoff of the consumer", Unless: unlessItSays, Deliveries: 5}},
		"some came again":    {`{"num_redelivered":2,"config":{"ack_policy":"explicit","ack_wait":1000000000}}`, broker.Redelivery{Known: true, After: time.Second, Setting: "ack_wait of the consumer", Unless: unlessItSays, Again: true}},
		"no acknowledgement": {`{"config":{"ack_policy":"none","ack_wait":30000000000,"max_deliver":1}}`, broker.Redelivery{Known: true}},
		"what cannot be":     {`{"num_redelivered":-1,"config":{"ack_policy":"explicit","ack_wait":-1,"backoff":[-5],"max_deliver":-9}}`, broker.Redelivery{Known: true, Setting: "backoff of the consumer", Unless: unlessItSays}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var info consumerInfo
			must(t, json.Unmarshal([]byte(c.info), &info))
			if diff := cmp.Diff(c.want, info.redelivery()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// A real server's settings are told with the depths, and changes of them with the next.
func TestRedeliveries(t *testing.T) {
	s := natsservertest.Start(t, "")
	_, js := admin(t, s)
	makeStream(t, js, "orders", "orders")
	long := jetstream.ConsumerConfig{Durable: "long", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Hour, MaxDeliver: 3, MemoryStorage: true}
	makeConsumer(t, js, "orders", long)
	makeConsumer(t, js, "orders", jetstream.ConsumerConfig{Durable: "short", AckPolicy: jetstream.AckExplicitPolicy})
	makeConsumer(t, js, "orders", jetstream.ConsumerConfig{Durable: "again", AckPolicy: jetstream.AckExplicitPolicy, BackOff: []time.Duration{time.Minute, time.Second}, MaxDeliver: 4})
	d := connected(t, s, nil, nil)
	queries := []broker.Query{{Queue: "orders", Group: "long"}, {Queue: "orders", Group: "short"}, {Queue: "orders", Group: "again"}, {Queue: "orders", Group: "missing"}, {Queue: "nowhere", Group: "long"}}
	told := func() []broker.Redelivery {
		t.Helper()
		all, err := d.(broker.RedeliveryReader).Redeliveries(t.Context(), queries)
		must(t, err)
		return all
	}
	if diff := cmp.Diff(make([]broker.Redelivery, 5), told()); diff != "" {
		t.Errorf("before anything was read (-want +got):\n%s", diff)
	}
	ask(t, d, "orders/long", "orders/short", "orders/again", "orders/missing", "nowhere/long")
	want := []broker.Redelivery{
		{Known: true, After: time.Hour, Setting: "ack_wait of the consumer", Unless: unlessItSays, Deliveries: 3},
		{Known: true, After: 30 * time.Second, Setting: "ack_wait of the consumer", Unless: unlessItSays},
		{Known: true, After: time.Second, Setting: "backoff of the consumer", Unless: unlessItSays, Deliveries: 4},
		{Known: true},
		{},
	}
	if diff := cmp.Diff(want, told()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	long.AckWait = 2 * time.Second
	changed, err := js.UpdateConsumer(t.Context(), "orders", long)
	must(t, err)
	publish(t, js, "orders", 1)
	for range 2 { // nobody acknowledges it, so that it comes again
		_, err = changed.Next(jetstream.FetchMaxWait(30 * time.Second))
		must(t, err)
	}
	ask(t, d, "orders/long")
	want[0].After, want[0].Again = 2*time.Second, true
	if diff := cmp.Diff(want, told()); diff != "" {
		t.Errorf("after a change (-want +got):\n%s", diff)
	}
	d.Close()
	if _, err := d.(broker.RedeliveryReader).Redeliveries(t.Context(), queries); err == nil {
		t.Error("a driver that is closed tells of limits")
	}
}
