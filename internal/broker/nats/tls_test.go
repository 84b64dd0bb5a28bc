package nats

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/natsserver/natsservertest"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
)

// A server that wants TLS with a client certificate: after its first word, and before it.
func TestTLS(t *testing.T) {
	certificates := redisservertest.Certificates(t)
	authority, err := os.ReadFile(certificates.CA)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	pair, err := tls.LoadX509KeyPair(certificates.Cert, certificates.Key)
	must(t, err)
	config := func(client bool, name string) *tls.Config {
		c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, ServerName: name}
		if client {
			c.Certificates = []tls.Certificate{pair}
		}
		return c
	}
	for way, c := range map[string]struct{ server, own string }{
		"after its first word":  {"", ""},
		"before its first word": {", handshake_first: true", `{"handshakeFirst": true}`},
	} {
		t.Run(way, func(t *testing.T) {
			s := natsservertest.Start(t, fmt.Sprintf("tls {cert_file: %q, key_file: %q, ca_file: %q, verify: true%s}", certificates.ServerCert, certificates.ServerKey, certificates.CA, c.server))
			for name, c := range map[string]struct {
				config *tls.Config
				own    string
				reason broker.Reason
			}{
				"all is well":           {config(true, "localhost"), c.own, ""},
				"no client certificate": {config(false, "localhost"), c.own, broker.ReasonTLSFailed},
				"another name":          {config(true, "elsewhere"), c.own, broker.ReasonTLSFailed},
				"another authority":     {&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool(), ServerName: "localhost"}, c.own, broker.ReasonTLSFailed},
			} {
				t.Run(name, func(t *testing.T) {
					d, err := tryConnect(t, s, func(s *broker.Settings) { s.TLS, s.Own = c.config, json.RawMessage(c.own) }, nil)
					if err == nil {
						defer d.Close()
						_, err = d.Depths(t.Context(), nil)
					}
					if c.reason == "" {
						must(t, err)
						return
					}
					// The server's refusal comes after the handshake. Whether it is read, or the connection found closed, is luck.
					if got := broker.ReasonOf(err); got != c.reason && got != broker.ReasonConnectionLost {
						t.Errorf("%v (%s), want %s", err, got, c.reason)
					}
				})
			}
			_, err := tryConnect(t, s, nil, nil)
			if got := broker.ReasonOf(err); got != broker.ReasonTLSFailed && got != broker.ReasonTimeout && got != broker.ReasonConnectionLost {
				t.Errorf("without TLS: %v (%s)", err, got)
			}
		})
	}
	plain := natsservertest.Start(t, "")
	_, err = tryConnect(t, plain, func(s *broker.Settings) { s.TLS = config(true, "localhost") }, nil)
	expectFailure(t, "a server without TLS", err, broker.ReasonTLSFailed, "remove config.tls")
}
