package rabbitmq

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/rabbitmqserver/rabbitmqservertest"
)

func httpServer(t *testing.T, serve http.HandlerFunc) (port int) {
	t.Helper()
	s := httptest.NewServer(serve)
	t.Cleanup(s.Close)
	return s.Listener.Addr().(*net.TCPAddr).Port
}

// answering is a management API that answers each path with a text, by its first words.
func answering(t *testing.T, texts map[string]string) *management {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for path, text := range texts {
			if strings.HasPrefix(r.URL.EscapedPath(), path) {
				_, _ = io.WriteString(w, text)
				return
			}
		}
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"bad_request","reason":"Stats are disabled"}`)
	}))
	t.Cleanup(s.Close)
	return newManagement(Config{Management: s.Listener.Addr().String(), VHost: "a/b", Statistics: time.Second})
}

func TestSnapshots(t *testing.T) {
	const queues, consumers, channels = "/api/queues/a%2Fb", "/api/consumers/a%2Fb", "/api/vhosts/a%2Fb/channels"
	cases := map[string]struct {
		texts map[string]string
		want  map[string]totals
		says  string
	}{
		"two queues, and one that tells nothing yet": {
			map[string]string{queues: `[{"name":"q","messages_ready":1,"messages_unacknowledged":2},{"name":"r","messages_ready":0,"messages_unacknowledged":0},{"name":"s"}]`},
			map[string]totals{"q": {true, true, 1, 2}, "r": {true, true, 0, 0}, "s": {there: true}}, "",
		},
		"half of what it should tell":    {map[string]string{queues: `[{"name":"q","messages_ready":1}]`}, map[string]totals{"q": {there: true}, "r": {}, "s": {}}, ""},
		"a queue of which nobody asks":   {map[string]string{queues: `[{"name":"other","messages_ready":1,"messages_unacknowledged":2}]`}, map[string]totals{"q": {}, "r": {}, "s": {}}, ""},
		"more than can be":               {map[string]string{queues: `[{"name":"q","messages_ready":1,"messages_unacknowledged":9223372036854775807}]`}, nil, "cannot be"},
		"a number below zero":            {map[string]string{queues: `[{"name":"q","messages_ready":-1,"messages_unacknowledged":2}]`}, nil, "cannot be"},
		"a fraction":                     {map[string]string{queues: `[{"name":"q","messages_ready":1.5,"messages_unacknowledged":2}]`}, nil, "else than JSON"},
		"a queue without a name":         {map[string]string{queues: `[[]]`}, nil, "cannot be"},
		"a refusal":                      {nil, nil, "Stats are disabled"},
		"consumers that are none":        {map[string]string{queues: `[]`, consumers: `{}`, channels: `[]`}, nil, "else than JSON"},
		"channels that are none":         {map[string]string{queues: `[]`, consumers: `[]`, channels: `[{"name":"c","messages_unacknowledged":-1,"connection_details":{"peer_host":"::1"}}]`}, nil, "cannot be"},
		"channels with more than can be": {map[string]string{queues: `[]`, consumers: `[]`, channels: `[{"name":"c","messages_unacknowledged":9223372036854775807,"connection_details":{"peer_host":"::1"}}]`}, nil, "cannot be"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := answering(t, c.texts)
			defer m.close()
			asked := newAsked()
			asked.note([]broker.Query{{Queue: "q"}, {Queue: "r"}, {Queue: "s"}}, true, time.Now())
			got, err := m.read(t.Context(), time.Now(), asked, true)
			if (c.says == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), c.says)) {
				t.Errorf("error %v, want %q", err, c.says)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(c.want, got.queues, cmp.AllowUnexported(totals{})); diff != "" {
				t.Errorf("queues (-want +got):\n%s", diff)
			}
			if got.workers != nil {
				t.Errorf("the server refuses to tell of workers, and they are %+v", got.workers)
			}
		})
	}
}

// A management API that hangs, at each step, ends the read in time.
func TestAManagementAPIThatHangs(t *testing.T) {
	t.Parallel()
	for name, said := range map[string]string{
		"before it answers": "", "in the header": "HTTP/1.1 200 OK\r\nContent-Le", "before the body": "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
		"in the body": "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n[{\"name\":",
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					go func() {
						in := bufio.NewReader(conn)
						_, _ = http.ReadRequest(in)
						_, _ = io.WriteString(conn, said)
						_, _ = io.Copy(io.Discard, in)
						_ = conn.Close()
					}()
				}
			}()
			t.Cleanup(func() { _ = listener.Close() })
			m := newManagement(Config{Management: listener.Addr().String(), VHost: "/"})
			defer m.close()
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			_, err = m.read(ctx, time.Now(), newAsked(), false)
			if broker.ReasonOf(err) != broker.ReasonTimeout {
				t.Errorf("%v is %s, want %s", err, broker.ReasonOf(err), broker.ReasonTimeout)
			}
		})
	}
}

// Both ports are reached over TLS, with the authorities, the name and the client certificate of the ScalerConfig.
func TestBothPortsOverTLS(t *testing.T) {
	t.Parallel()
	s := newServer(t, true)
	ch := confirming(t, s.VHost)
	rabbitmqservertest.Declare(t, ch, "q", "classic")
	target, err := url.Parse("http://" + net.JoinHostPort("127.0.0.1", portOf(s.ManagementPort())))
	if err != nil {
		t.Fatal(err)
	}
	wants := &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAnyClientCert}
	management := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(target))
	management.TLS = wants.Clone()
	management.StartTLS()
	t.Cleanup(management.Close)
	served := wants.Clone()
	served.Certificates = management.TLS.Certificates
	trusted := x509.NewCertPool()
	trusted.AddCert(management.Certificate())
	config, err := parse(s.Settings())
	if err != nil {
		t.Fatal(err)
	}
	c := config.(Config)
	c.Address, c.Management = forward(t, s.Addr(), served), management.Listener.Addr().String()
	c.TLS = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: trusted, ServerName: "example.com", Certificates: management.TLS.Certificates}
	open := func(c Config) error {
		d, err := Open(t.Context(), c, nil)
		if err == nil {
			read(t, d, broker.Query{Queue: "q"})
			d.Close()
		}
		return err
	}
	if err := open(c); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*tls.Config){
		"another name":          func(c *tls.Config) { c.ServerName = "other.test" },
		"an unknown authority":  func(c *tls.Config) { c.RootCAs = x509.NewCertPool() },
		"no client certificate": func(c *tls.Config) { c.Certificates = nil },
	} {
		for _, port := range []string{"AMQP", "management"} {
			other := c
			other.TLS = c.TLS.Clone()
			change(other.TLS)
			err := open(other)
			if port == "management" {
				m := newManagement(other)
				_, err = m.whoami(t.Context())
				m.close()
			}
			if err == nil || (name != "no client certificate" && broker.ReasonOf(err) != broker.ReasonTLSFailed) {
				t.Errorf("%s, %s: %v is %s, want %s", name, port, err, broker.ReasonOf(err), broker.ReasonTLSFailed)
			}
		}
	}
}
