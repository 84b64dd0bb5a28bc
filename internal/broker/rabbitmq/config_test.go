package rabbitmq

import (
	"crypto/tls"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
)

func TestSettings(t *testing.T) {
	least := Config{Address: "h:1", Username: "guest", VHost: "/", Statistics: 5 * time.Second}
	with := func(change func(*Config)) Config {
		c := least
		change(&c)
		return c
	}
	for block, want := range map[string]Config{
		"":                            least,
		"{}":                          least,
		`{"vhost":"a/b"}`:             with(func(c *Config) { c.VHost = "a/b" }),
		`{"managementPort":15672}`:    with(func(c *Config) { c.Management = "h:15672" }),
		`{"statisticsInterval":"1m"}`: with(func(c *Config) { c.Statistics = time.Minute }),
	} {
		got, err := parse(broker.Settings{Host: "h", Port: 1, Own: json.RawMessage(block)})
		if err != nil || !want.Equal(got) {
			t.Errorf("%s: %+v, %v; want %+v", block, got, err, want)
		}
		if block != "" && block != "{}" && least.Equal(got) {
			t.Errorf("%s: equal to what has another block", block)
		}
	}
	for _, block := range []string{`{"statisticsInterval":"5"}`, `{"statisticsInterval":"-5s"}`, `[]`, `{"managementPort":"x"}`} {
		if got, err := parse(broker.Settings{Host: "h", Port: 1, Own: json.RawMessage(block)}); err == nil {
			t.Errorf("%s: %+v, without an error", block, got)
		}
	}
}

// The longer the server takes to answer, the more seldom it is asked, and never more seldom than its statistics change.
func TestHowLongAnAnswerIsKept(t *testing.T) {
	c := Config{Statistics: 5 * time.Second}
	for took, want := range map[time.Duration]time.Duration{
		0: time.Second, 100 * time.Millisecond: time.Second, 200 * time.Millisecond: 2 * time.Second, time.Second: 5 * time.Second,
	} {
		if got := c.kept(took); got != want {
			t.Errorf("an answer that took %s is kept for %s, want %s", took, got, want)
		}
	}
	if c.lag() < c.Statistics+c.kept(time.Hour) {
		t.Errorf("after %s it forgets what the statistics do not show yet", c.lag())
	}
}

// A worker finds the virtual host in a URL, and its password beside it.
func TestEnvironment(t *testing.T) {
	for block, want := range map[string]string{
		"":                       "amqp://[::1]:5672/%2F",
		`{"vhost":"orders"}`:     "amqp://[::1]:5672/orders",
		`{"vhost":"a/b %2F@?#"}`: "amqp://[::1]:5672/a%2Fb%20%252F@%3F%23",
		`{"vhost":7}`:            "",
	} {
		var got string
		for _, v := range env(broker.Settings{Host: "::1", Port: 5672, Username: "u", Password: broker.NewSecret("p"), Own: json.RawMessage(block)}) {
			got = v.Value
		}
		if got != want {
			t.Errorf("%s: the URL is %q, want %q", block, got, want)
		}
	}
	want := []broker.Variable{{Name: "QSCALER_BROKER_URL", Value: "amqps://rabbit:5671/%2F"}}
	if diff := cmp.Diff(want, env(broker.Settings{Host: "rabbit", Port: 5671, TLS: &tls.Config{MinVersion: tls.VersionTLS12}})); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
}
