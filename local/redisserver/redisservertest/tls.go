package redisservertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/quickube/qscaler/local/redisserver"
)

// Secure is a server that is reached over TLS, too, with a client certificate only.
type Secure struct {
	*redisserver.Server
	// Address is where it speaks TLS. Its certificate is made out to localhost and 127.0.0.1.
	Address string
	// CA, Cert and Key are files in PEM: the authority that made all certificates, and a client's certificate and key.
	CA, Cert, Key string
}

// Files are certificates and keys of a test's own, in PEM: of the authority that made all, of a server, made out to
// localhost and 127.0.0.1, and of a client.
type Files struct{ CA, ServerCert, ServerKey, Cert, Key string }

// Certificates makes them. Other servers than Redis take them, too.
func Certificates(t testing.TB) Files {
	t.Helper()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	authority := issue(t, nil, "authority", file("ca"))
	issue(t, authority, "localhost", file("server"))
	issue(t, authority, "client", file("client"))
	return Files{CA: file("ca.crt"), ServerCert: file("server.crt"), ServerKey: file("server.key"), Cert: file("client.crt"), Key: file("client.key")}
}

// StartSecure starts a server that speaks TLS beside plain TCP.
func StartSecure(t testing.TB, args ...string) *Secure {
	t.Helper()
	files := Certificates(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	server := Start(t, append([]string{
		"--tls-port", strconv.Itoa(port), "--tls-auth-clients", "yes", "--tls-ca-cert-file", files.CA,
		"--tls-cert-file", files.ServerCert, "--tls-key-file", files.ServerKey,
	}, args...)...)
	return &Secure{
		Server: server, Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		CA: files.CA, Cert: files.Cert, Key: files.Key,
	}
}

// issued is a certificate with its key.
type issued struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// issue makes a certificate, its own authority's where by is nil, and writes path.crt and path.key.
func issue(t testing.TB, by *issued, name, path string) *issued {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	must(err)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	own := &issued{template, key}
	if by == nil {
		by = own
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, key.Public(), by.key)
	must(err)
	own.certificate, err = x509.ParseCertificate(der)
	must(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	must(os.WriteFile(path+".crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(os.WriteFile(path+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	return own
}
