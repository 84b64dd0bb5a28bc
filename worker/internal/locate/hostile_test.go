package locate

import (
	"bufio"
	"net"
	"strings"
	"testing"

	"github.com/redis/rueidis"
)

// liar is a server that answers HELLO as Redis does, and everything else with the same text.
func liar(t *testing.T, answer string) string {
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
			go lie(conn, answer)
		}
	}()
	return listener.Addr().String()
}

func lie(conn net.Conn, answer string) {
	defer func() { _ = conn.Close() }()
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		switch word := lines.Text(); word {
		case "HELLO":
			_, _ = conn.Write([]byte("%2\r\n+proto\r\n:3\r\n+role\r\n+replica\r\n"))
		case "PING": // at the end, which waits for it
			_, _ = conn.Write([]byte("+PONG\r\n"))
		case "SLOTS", "GET-MASTER-ADDR-BY-NAME", "SENTINELS":
			_, _ = conn.Write([]byte(answer))
		}
	}
}

func option() rueidis.ClientOption {
	return rueidis.ClientOption{ForceSingleClient: true, DisableCache: true, DisableRetry: true, ClientSetInfo: []string{}}
}

// What is no answer to CLUSTER SLOTS is an error, and no panic.
func TestSlotsOfALiar(t *testing.T) {
	for answer, want := range map[string]string{
		"+OK\r\n":                              "not a array",
		"*0\r\n":                               "no node that it can name has slot 5",
		"*1\r\n:1\r\n":                         "no list of slots",
		"*1\r\n*2\r\n:0\r\n:9\r\n":             "no list of slots",
		"*1\r\n*3\r\n:0\r\n:9\r\n*1\r\n+h\r\n": "no list of slots",
		"*1\r\n*3\r\n+a\r\n:9\r\n*2\r\n+h\r\n:1\r\n": "no list of slots",
		"*1\r\n*3\r\n:0\r\n:9\r\n*2\r\n:1\r\n:1\r\n": "no list of slots",
		"*1\r\n*3\r\n:0\r\n:9\r\n*2\r\n+h\r\n+1\r\n": "no list of slots",
		"*1\r\n*3\r\n:0\r\n:9\r\n*2\r\n+h\r\n:0\r\n": "no address",
		"*1\r\n*3\r\n:0\r\n:9\r\n*2\r\n+?\r\n:1\r\n": "no node that it can name",
		"*1\r\n*3\r\n:6\r\n:9\r\n*2\r\n+h\r\n:1\r\n": "no node that it can name",
		"-NOPERM no\r\n": "NOPERM",
	} {
		c := NewCluster(5, liar(t, answer), option())
		if got, err := c.Locate(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q and the error %v, want one with %q", answer, got, err, want)
		}
	}
}

// A node that leaves out its host has the one by which it was asked.
func TestTheOwnerOfASlot(t *testing.T) {
	for answer, want := range map[string]string{
		"*2\r\n*3\r\n:0\r\n:4\r\n*2\r\n+g\r\n:1\r\n*4\r\n:5\r\n:9\r\n*2\r\n+h\r\n:2\r\n*2\r\n+i\r\n:3\r\n": "h:2",
		"*1\r\n*3\r\n:0\r\n:9\r\n*2\r\n_\r\n:7\r\n":                                                        "127.0.0.1:7",
		"*1\r\n*3\r\n:0\r\n:9\r\n*2\r\n$0\r\n\r\n:7\r\n":                                                   "127.0.0.1:7",
	} {
		c := NewCluster(5, liar(t, answer), option())
		if got, err := c.Locate(t.Context()); err != nil || got != want {
			t.Errorf("%q: %q (%v), want %q", answer, got, err, want)
		}
	}
}

// So is what is no answer of a Sentinel, or names a server that is no master.
func TestALyingSentinel(t *testing.T) {
	host, port, err := net.SplitHostPort(liar(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	for answer, want := range map[string]string{
		"_\r\n":                  "no master of this name",
		"+OK\r\n":                "not a array",
		"*1\r\n+h\r\n":           "1 words for an address",
		"*2\r\n+h\r\n+x\r\n":     "no number",
		"*2\r\n$0\r\n\r\n+1\r\n": "no address",
		"-NOAUTH no\r\n":         "NOAUTH",
		"*2\r\n+" + host + "\r\n+" + port + "\r\n": `is no master: its role is "replica"`,
	} {
		s := NewSentinel("m", liar(t, answer), option(), option())
		if got, err := s.Locate(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q and the error %v, want one with %q", answer, got, err, want)
		}
	}
}
