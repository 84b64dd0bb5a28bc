package brokertest

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http/httptest"
	"testing"

	"github.com/quickube/qscaler/internal/broker"
)

// serverName is what the certificate of httptest is made out to.
const serverName = "example.com"

// overTLS reaches the server through a proxy that speaks TLS.
func overTLS(t *testing.T, h Harness) {
	s := h.Start(t)
	s.Push("q", 3)
	p, trusted := newTLSProxy(t, s.Settings())
	cases := map[string]struct {
		settings broker.Settings
		config   *tls.Config
		fails    []broker.Reason
	}{
		"a certificate that is trusted":         {p.settings(), &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: trusted, ServerName: serverName}, nil},
		"one that need not be":                  {p.settings(), &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}, nil},
		"a certificate of an unknown authority": {p.settings(), &tls.Config{MinVersion: tls.VersionTLS12, ServerName: serverName}, []broker.Reason{broker.ReasonTLSFailed}},
		"a certificate of another name":         {p.settings(), &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: trusted, ServerName: "other.test"}, []broker.Reason{broker.ReasonTLSFailed}},
		// Such a server takes the handshake for a command, and closes, refuses or waits for its end.
		"a server that speaks none": {s.Settings(), &tls.Config{MinVersion: tls.VersionTLS12, ServerName: serverName}, []broker.Reason{broker.ReasonTLSFailed, broker.ReasonConnectionLost, broker.ReasonTimeout}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.settings.TLS = c.config
			answers, err := readOnce(t, h, c.settings, h.query("q"))
			if c.fails == nil {
				if err != nil || len(answers) != 1 || answers[0].Depth.Waiting != broker.CountOf(3) {
					t.Errorf("%+v, %v; want 3 waiting", answers, err)
				}
				return
			}
			fails(t, err)
			for _, want := range c.fails {
				if broker.ReasonOf(err) == want {
					return
				}
			}
			t.Errorf("%v is %s, want one of %v", err, broker.ReasonOf(err), c.fails)
		})
	}
}

// newTLSProxy makes a proxy that speaks TLS to the driver, and has the authorities that know its certificate.
func newTLSProxy(t *testing.T, server broker.Settings) (*proxy, *x509.CertPool) {
	t.Helper()
	issuer := httptest.NewTLSServer(nil)
	defer issuer.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(issuer.Certificate())
	return proxyAt(t, server, func(l net.Listener) net.Listener {
		return tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: issuer.TLS.Certificates})
	}), trusted
}
