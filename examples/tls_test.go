package examples

import (
	"bytes"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/local/redisserver/redisservertest"
)

// overTLS plays with a server that wants a client certificate, and a user with the rights that the documentation gives.
func overTLS(inVariable bool) func(*testing.T, *stage) {
	return func(t *testing.T, s *stage) {
		server := redisservertest.StartSecure(t)
		s.redis, s.address = &redisServer{address: server.Addr()}, server.Address
		s.connect(t, rueidis.ClientOption{})
		s.username, s.password = "worker", "it's a \"secret\""
		s.do(t, s.setUser(t)...)
		s.more = []string{
			"QSCALER_BROKER_TLS=true", "QSCALER_BROKER_TLS_SERVER_NAME=localhost",
			"QSCALER_BROKER_TLS_CERT_FILE=" + server.Cert, "QSCALER_BROKER_TLS_KEY_FILE=" + server.Key,
		}
		if inVariable {
			pem, err := os.ReadFile(server.CA)
			must(t, err)
			s.more = append(s.more, "QSCALER_BROKER_TLS_CA="+string(pem))
		} else {
			s.more = append(s.more, "QSCALER_BROKER_TLS_CA_FILE="+server.CA)
		}
		s.push(t, `{"id":"t-1"}`)
		p := s.startPod(t)
		s.waitFor(t, "done t-1")
		s.waitForEmpty(t)
		p.grant(t)
		p.waitForExit(t)
	}
}

// setUser gives the user of the stage the rights that the documentation gives to such a worker.
func (s *stage) setUser(t *testing.T) []string {
	t.Helper()
	heading := "## Working"
	if strings.HasSuffix(s.command[0], "worker-sdk") {
		heading = "## The envelope"
	}
	rights := redisservertest.Rights(t, "redis-layout.md", heading, "worker", "task-queue", s.queue)
	return append([]string{"ACL", "SETUSER", s.username, "on", ">" + s.password}, rights...)
}

// neverInTheClear has a server that speaks no TLS, and listens for the password.
func neverInTheClear(setting string) func(*testing.T, *stage) {
	return func(t *testing.T, s *stage) {
		spy := newSpy(t)
		s.address, s.username, s.password = spy.address, "worker", "hush-hush"
		s.more = []string{"QSCALER_BROKER_TLS=" + setting}
		p := s.startPod(t)
		eventually(t, "the worker complains", func() bool { return p.stderr.text() != "" })
		if heard := spy.heard(); bytes.Contains(heard, []byte(s.password)) {
			t.Errorf("the server heard %q", heard)
		}
	}
}

// spy is a server that says nothing, closes, and remembers what it heard.
type spy struct {
	address string
	mu      sync.Mutex
	bytes   []byte
}

func newSpy(t *testing.T) *spy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := &spy{address: listener.Addr().String()}
	var ended sync.WaitGroup
	ended.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			buffer := make([]byte, 1<<16)
			n, _ := conn.Read(buffer)
			_ = conn.Close()
			s.mu.Lock()
			s.bytes = append(s.bytes, buffer[:n]...)
			s.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		ended.Wait()
	})
	return s
}

func (s *spy) heard() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.bytes)
}
