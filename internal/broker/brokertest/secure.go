package brokertest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"testing"

	"github.com/quickube/qscaler/internal/broker"
)

// serverName is what the certificate of httptest is made out to.
const serverName = "example.com"

// overTLS reaches the server through a proxy that speaks TLS, or one that speaks it itself.
func overTLS(t *testing.T, h Harness) {
	s := h.Start(t)
	s.Push("q", 3)
	secure, trusted := secured(t, h, s)
	cases := map[string]struct {
		settings broker.Settings
		config   *tls.Config
		fails    []broker.Reason
	}{
		"a certificate that is trusted":         {secure, &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: trusted, ServerName: serverName}, nil},
		"one that need not be":                  {secure, &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}, nil},
		"a certificate of an unknown authority": {secure, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: serverName}, []broker.Reason{broker.ReasonTLSFailed}},
		"a certificate of another name":         {secure, &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: trusted, ServerName: "other.test"}, []broker.Reason{broker.ReasonTLSFailed}},
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

// secured are the settings of a server with 3 messages that speaks TLS, and the authorities that know its certificate.
func secured(t *testing.T, h Harness, plain Server) (broker.Settings, *x509.CertPool) {
	t.Helper()
	issuer := httptest.NewTLSServer(nil)
	defer issuer.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(issuer.Certificate())
	if h.StartTLS == nil {
		return proxyAt(t, plain.Settings(), func(l net.Listener) net.Listener {
			return tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: issuer.TLS.Certificates})
		}).settings(), trusted
	}
	key, err := x509.MarshalPKCS8PrivateKey(issuer.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	s := h.StartTLS(t,
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issuer.Certificate().Raw}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	s.Push("q", 3)
	return s.Settings(), trusted
}
