package rabbitmq

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"strconv"
	"testing"
)

func portOf(port int) string { return strconv.Itoa(port) }

// forward has connections over TLS passed on to a server that speaks none.
func forward(t *testing.T, to string, config *tls.Config) (address string) {
	t.Helper()
	return passOn(t, to, func(in net.Conn) net.Conn { return tls.Server(in, config) })
}

// sniff has connections passed on to a server that speaks no TLS, those over TLS and those that are not. The certificate
// is that of httptest.
func sniff(t *testing.T, to string) (port int) {
	t.Helper()
	issuer := httptest.NewTLSServer(nil)
	defer issuer.Close()
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: issuer.TLS.Certificates}
	address := passOn(t, to, func(in net.Conn) net.Conn {
		const handshake = 0x16
		peeking := peeked{in, bufio.NewReader(in)}
		if first, err := peeking.in.Peek(1); err == nil && first[0] == handshake {
			return tls.Server(peeking, config)
		}
		return peeking
	})
	_, text, err := net.SplitHostPort(address)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// peeked is a connection whose first bytes were looked at.
type peeked struct {
	net.Conn
	in *bufio.Reader
}

func (p peeked) Read(b []byte) (int, error) { return p.in.Read(b) }

// passOn has connections passed on to a server.
func passOn(t *testing.T, to string, wrap func(net.Conn) net.Conn) (address string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go pass(conn, to, wrap)
		}
	}()
	return listener.Addr().String()
}

// pass passes one connection on, until either side ends it.
func pass(conn net.Conn, to string, wrap func(net.Conn) net.Conn) {
	defer func() { _ = conn.Close() }()
	in := wrap(conn)
	out, err := (&net.Dialer{}).Dial("tcp", to)
	if err != nil {
		return
	}
	defer func() { _ = out.Close() }()
	go func() {
		_, _ = io.Copy(out, in)
		_ = out.Close()
	}()
	_, _ = io.Copy(in, out)
}
