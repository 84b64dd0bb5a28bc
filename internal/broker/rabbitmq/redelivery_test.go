package rabbitmq

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/quickube/qscaler/internal/broker"
)

func TestVersions(t *testing.T) {
	for said, want := range map[any]struct{ setsByQueue, classicLimits bool }{
		"3.10.8":     {false, true},
		"3.12.0":     {true, true},
		"4.2.1":      {true, true},
		"4.3.0-rc.1": {true, false},
		"5.0.0":      {true, false},
		"3.9":        {false, true},
		"three":      {false, true},
		"":           {false, true},
		nil:          {false, true},
		42:           {false, true},
	} {
		v := versionOf(said)
		if v.setsByQueue() != want.setsByQueue || v.limits("classic") != want.classicLimits || !v.limits("quorum") {
			t.Errorf("%v is %+v: a queue has limits of its own %t, a classic one has any %t", said, v, v.setsByQueue(), v.limits("classic"))
		}
	}
}

// Each queue by its arguments and its policy, whatever is in them.
func TestOwnLimits(t *testing.T) {
	argument := func(d time.Duration) broker.Redelivery {
		return broker.Redelivery{Known: true, After: d, Setting: "the queue's argument x-consumer-timeout"}
	}
	policy := func(d time.Duration) broker.Redelivery {
		return broker.Redelivery{Known: true, After: d, Setting: "consumer-timeout in the queue's policy"}
	}
	cases := map[string]struct {
		version version
		queues  string
		want    map[string]broker.Redelivery
		says    string
	}{
		"an argument":             {version{3, 12}, `[{"name":"q","type":"classic","arguments":{"x-consumer-timeout":60000},"effective_policy_definition":{}}]`, map[string]broker.Redelivery{"q": argument(time.Minute)}, ""},
		"a policy":                {version{3, 12}, `[{"name":"q","type":"quorum","arguments":{},"effective_policy_definition":{"consumer-timeout":5000}}]`, map[string]broker.Redelivery{"q": policy(5 * time.Second)}, ""},
		"both: the shorter":       {version{4, 0}, `[{"name":"q","arguments":{"x-consumer-timeout":60000},"effective_policy_definition":{"consumer-timeout":5000}},{"name":"r","arguments":{"x-consumer-timeout":1000},"effective_policy_definition":{"consumer-timeout":5000}}]`, map[string]broker.Redelivery{"q": policy(5 * time.Second), "r": argument(time.Second)}, ""},
		"none, in any form":       {version{3, 12}, `[{"name":"q","arguments":[],"effective_policy_definition":[]},{"name":"r","effective_policy_definition":null},{}]`, map[string]broker.Redelivery{}, ""},
		"what can be no limit":    {version{3, 12}, `[{"name":"q","arguments":{"x-consumer-timeout":"soon"},"effective_policy_definition":{"consumer-timeout":-1}},{"name":"r","arguments":{"x-consumer-timeout":9223372036854775807},"effective_policy_definition":{"consumer-timeout":1.5}}]`, map[string]broker.Redelivery{}, ""},
		"queues that nobody asks": {version{3, 12}, `[{"name":"other","arguments":{"x-consumer-timeout":60000}}]`, map[string]broker.Redelivery{}, ""},
		"a classic one of 4.3":    {version{4, 3}, `[{"name":"q","type":"classic","arguments":{"x-consumer-timeout":60000}},{"name":"r","type":"quorum","arguments":{"x-consumer-timeout":60000}}]`, map[string]broker.Redelivery{"q": {Known: true}, "r": argument(time.Minute)}, ""},
		"no list":                 {version{3, 12}, `{}`, nil, "else than JSON"},
		"half a list":             {version{3, 12}, `[{"name":"q"`, nil, "does not speak HTTP"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := answering(t, map[string]string{"/api/queues/a%2Fb": c.queues})
			defer m.close()
			got, err := m.ownLimits(t.Context(), c.version, []broker.Query{{Queue: "q"}, {Queue: "r"}})
			if (c.says == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), c.says)) {
				t.Errorf("error %v, want %q", err, c.says)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// The real server: it tells what a queue was declared with. Where it is too old to go by that, the default of its own limit
// is told, and that it may be another.
func TestRedeliveries(t *testing.T) {
	t.Parallel()
	s := newServer(t, true)
	ch := s.Channel()
	if _, err := ch.QueueDeclare("q", true, false, false, false, amqp.Table{"x-consumer-timeout": int64(60_000)}); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare("plain", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	queries := []broker.Query{{Queue: "q"}, {Queue: "plain"}, {Queue: "missing"}}
	own := broker.Redelivery{Known: true, After: time.Minute, Setting: "the queue's argument x-consumer-timeout"}
	d := openDriver(t, s.Settings()).(*driver)
	told, err := d.management.ownLimits(t.Context(), version{3, 12}, queries)
	if diff := cmp.Diff(map[string]broker.Redelivery{"q": own}, told); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	first := byServer()
	if v := versionOf(d.link.conn.Properties["version"]); v == (version{}) {
		t.Errorf("the server's version is %v", d.link.conn.Properties["version"])
	} else if v.setsByQueue() {
		first = own
	}
	for name, c := range map[string]struct {
		settings broker.Settings
		first    broker.Redelivery
	}{"with the management API": {s.Settings(), first}, "without": {block(s.Settings(), s.Name, 0), byServer()}} {
		d := openDriver(t, c.settings)
		got, err := d.(broker.RedeliveryReader).Redeliveries(t.Context(), queries)
		if diff := cmp.Diff([]broker.Redelivery{c.first, byServer(), byServer()}, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
		d.Close()
		if _, err := d.(broker.RedeliveryReader).Redeliveries(t.Context(), queries); err == nil {
			t.Errorf("%s: a driver that is closed tells of limits", name)
		}
	}
}
