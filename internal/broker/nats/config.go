// Package nats reads queues that are streams of NATS JetStream, as one of their durable consumers sees them.
//
//	config.go      the kind, and how a server is reached
//	login.go       how the operator logs in: a user, a token, an NKey, a file of credentials
//	connection.go  one connection: dialling, TLS, and failures in words
//	guard.go       what a server may send
//	exchange.go    requests to the JetStream API, many at once, and their answers
//	api.go         what the API answers
//	driver.go      how many messages there are
//	redelivery.go  when a message is delivered again
//	bells.go       the doorbell; bell.go one subscription of it
//	names.go       which names streams and consumers may have
//
// One call of Depths is one round trip for each 1000 queues. The first that sees a queue without a worker takes one more,
// which asks for the subjects that the doorbell subscribes to; so does one whose consumer does not exist. Docs:
// docs/brokers/nats.md.
package nats

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// Kind is NATS JetStream.
func Kind() broker.Kind {
	return broker.Kind{
		Type:  "nats",
		Port:  4222,
		Parse: parse,
		Open:  broker.Opener(Open),
		Env:   env,

		CredentialsFile: credentialsFile,
		TrimsPassword:   trimsPassword,
		Cadence: broker.Cadence{
			// The doorbell is for fleets without a worker.
			Poll: time.Second, PollAtZero: 250 * time.Millisecond, PollBusy: time.Second, Safety: 5 * time.Second, Batch: 10 * time.Millisecond,
			// So many are one round trip. A server drops all requests that it has not looked at where they are more than 10000.
			Budget: 250,
		},
	}
}

// Config is how to reach a NATS server, and JetStream on it.
type Config struct {
	// Address is host:port.
	Address string
	Login   Login
	// API is the beginning of the subjects of the JetStream API, such as "$JS.API".
	API string
	// Inbox is the beginning of the subjects to which the server sends its answers.
	Inbox string
	// TLS is nil for plain TCP.
	TLS *tls.Config
	// HandshakeFirst has TLS begin before the server has said a word.
	HandshakeFirst bool
}

// own is the block of settings that NATS alone has.
type own struct {
	Login          string `json:"login"`
	Domain         string `json:"domain"`
	APIPrefix      string `json:"apiPrefix"`
	InboxPrefix    string `json:"inboxPrefix"`
	HandshakeFirst bool   `json:"handshakeFirst"`
}

func parseOwn(text json.RawMessage) (own, error) {
	var o own
	if len(text) == 0 {
		return o, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&o); err != nil {
		return o, fmt.Errorf("reading config.nats, %w", err)
	}
	return o, nil
}

func parse(s broker.Settings) (broker.Config, error) {
	o, err := parseOwn(s.Own)
	if err != nil {
		return nil, err
	}
	c := Config{
		Address: net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port))),
		API:     "$JS.API", Inbox: "_INBOX", TLS: s.TLS, HandshakeFirst: o.HandshakeFirst,
	}
	switch {
	case o.Domain != "" && o.APIPrefix != "":
		return nil, fmt.Errorf("config.nats has a domain and an apiPrefix, which stands in its place; remove one")
	case o.Domain != "":
		c.API = "$JS." + o.Domain + ".API"
	case o.APIPrefix != "":
		c.API = o.APIPrefix
	}
	if o.InboxPrefix != "" {
		c.Inbox = o.InboxPrefix
	}
	for field, subject := range map[string]string{"domain or apiPrefix": c.API, "inboxPrefix": c.Inbox} {
		if !isSubject(subject) || strings.ContainsAny(subject, "*>") {
			return nil, fmt.Errorf("config.nats: the %s makes the subject %q, which cannot be; it must be words with dots between them", field, broker.Words(subject, broker.Secret{}))
		}
	}
	c.Login, err = login(o.Login, s.Username, s.Password)
	return c, err
}

// Equal is broker.Config's.
func (c Config) Equal(other broker.Config) bool {
	o, ok := other.(Config)
	return ok && c.Address == o.Address && c.Login.equal(o.Login) && c.API == o.API && c.Inbox == o.Inbox &&
		c.HandshakeFirst == o.HandshakeFirst && broker.SameTLS(c.TLS, o.TLS)
}
