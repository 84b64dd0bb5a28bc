package redis

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"strings"
	"testing"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
)

// A server that wants client certificates is read with one, under the rights that the documentation gives to the
// operator's own user, and not without.
func TestClientCertificatesAndAUserOfItsOwn(t *testing.T) {
	server := redisservertest.StartSecure(t)
	do := plainClient(t, server.Addr())
	do("LPUSH", "q", "1", "2")
	do("LPUSH", "{q}:processing:p1", "3")
	rights := redisservertest.Rights(t, "security.md", "## One user for the operator, one for the workers", "operator", "task-queue", "q")
	if err := do(append([]string{"ACL", "SETUSER", "operator", "on", ">pw"}, rights...)...).Error(); err != nil {
		t.Fatal(err)
	}
	do("ACL", "SETUSER", "default", "off")

	authority, err := os.ReadFile(server.CA)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	certificate, err := tls.LoadX509KeyPair(server.Cert, server.Key)
	if err != nil {
		t.Fatal(err)
	}
	with := func(certificates ...tls.Certificate) Config {
		return Config{
			Address: server.Address, Username: "operator", Password: broker.NewSecret("pw"),
			TLS: &tls.Config{MinVersion: tls.VersionTLS12, ServerName: "localhost", RootCAs: trusted, Certificates: certificates},
		}
	}

	d := open(t, with(certificate), newBell().ring)
	if _, err := d.Depths(t.Context(), nil); err != nil {
		t.Errorf("without a queue: %v", err)
	}
	if ok, why := d.(broker.Pusher).Pushes(); !ok {
		t.Errorf("it does not push: %s", why)
	}
	answer := depths(t, d, broker.Query{Queue: "q", Workers: workers("p1")})[0]
	if answer.Err != nil || answer.Depth.Waiting != broker.CountOf(2) || answer.Depth.InFlight != broker.CountOf(1) {
		t.Errorf("%+v, want 2 waiting and 1 in flight", answer)
	}
	if moved, err := d.(broker.Reclaimer).Reclaim(t.Context(), claimed(t, d.(broker.Reclaimer)), "q", "p1"); moved != 1 || err != nil {
		t.Errorf("Reclaim = %d, %v; want 1", moved, err)
	}
	if log, err := do("ACL", "LOG").ToArray(); err != nil || len(log) > 0 {
		t.Errorf("the server has refused %v, %v; want nothing", log, err)
	}

	_, err = Open(t.Context(), with(), newBell().ring)
	// The server's alert may not arrive before the connection breaks.
	reason := broker.ReasonOf(err)
	if reason != broker.ReasonTLSFailed && reason != broker.ReasonConnectionLost || !strings.Contains(err.Error(), "set config.tls.clientCertSecret") {
		t.Errorf("without a certificate: %v (%s), want %s or %s, and the remedy", err, reason, broker.ReasonTLSFailed, broker.ReasonConnectionLost)
	}
	if with(certificate).Equal(with()) || !with(certificate).Equal(with(certificate)) {
		t.Error("a configuration with a certificate is not one without")
	}
}
