package mysql

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/mysqlserver"
	"github.com/quickube/qscaler/local/mysqlserver/mysqlservertest"
)

// A user who must show a certificate is let in with one. A server without one that is asked for TLS says so.
func TestACertificateOfTheClient(t *testing.T) {
	certificate, key := certify(t)
	own, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	s := serverAt(t, mysqlservertest.Start(t, mysqlserver.Options{
		Settings: []string{"ssl_cert = server.crt", "ssl_key = server.key", "ssl_ca = server.crt"},
		Files:    map[string][]byte{"server.crt": certificate, "server.key": key},
	}), "app")
	s.do("ALTER USER " + s.user + " REQUIRE X509")
	s.Push("q", 3)
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(certificate)
	encryption := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: trusted, ServerName: "example.com"}
	read := func(at *server, encryption *tls.Config) error {
		settings := at.Settings()
		settings.TLS = encryption
		config, err := parse(settings)
		if err != nil {
			t.Fatal(err)
		}
		d, err := Open(t.Context(), config.(Config), nil)
		if err != nil {
			return err
		}
		defer d.Close()
		answers, err := d.Depths(t.Context(), queriesOf("q"))
		if err == nil && answers[0].Depth.Waiting != broker.CountOf(3) {
			t.Errorf("it answers %+v, want 3 waiting", answers)
		}
		return err
	}
	if err := read(s, encryption); broker.ReasonOf(err) != broker.ReasonAuthenticationFailed {
		t.Errorf("without a certificate: %v", err)
	}
	shows := encryption.Clone()
	shows.Certificates = []tls.Certificate{own}
	if err := read(s, shows); err != nil {
		t.Errorf("with a certificate: %v", err)
	}
	if err := read(newServer(t), encryption); broker.ReasonOf(err) != broker.ReasonTLSFailed || !strings.Contains(err.Error(), "remove config.tls") {
		t.Errorf("of a server without TLS: %v", err)
	}
}

// certify makes a certificate that has signed itself, for servers and clients, and its key.
func certify(t *testing.T) (certificate, key []byte) {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "example.com"}, DNSNames: []string{"example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &own.PublicKey, own)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}
