package redis

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/rueidis"
)

// FuzzGuard has any bytes come in the place of a server's replies, through the guard, to the client library as the driver
// uses it. Nothing may make the library panic, which ends the process; and the library must read what the guard has let
// through as it is written: the same replies, with the same ends.
//
// More than a minute: go test ./internal/broker/redis -run '^$' -fuzz FuzzGuard -fuzztime 1h
func FuzzGuard(f *testing.F) {
	for _, reply := range strangeReplies {
		f.Add([]byte(reply), uint8(0), uint8(0))
	}
	f.Add([]byte(goodReplies), uint8(1), uint8(3))
	f.Add([]byte(goodReplies), uint8(2), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, version, piece uint8) {
		server := newScript([]string{"7.4.0", "6.2.14", "5.0.9"}[version%3], data, int(piece))
		got := server.read(t)
		want, incomplete := parseReplies(server.passed)
		if len(want) > len(asked) {
			t.Fatalf("%d replies were let through to %d commands", len(want), len(asked))
		}
		for range len(asked) - len(want) {
			want = append(want, "none")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("of %q the guard let %q through, and %q of it is incomplete; the library reads (-want +got):\n%s", data, server.passed, incomplete, diff)
		}
	})
}

// asked are the commands that the bytes answer: one of each kind of bounds.
var asked = [][]string{
	{"LLEN", "q"}, {"ZCOUNT", "d", "0", "1"}, {"MULTI"}, {"LLEN", "q"}, {"LLEN", "p"}, {"EXEC"}, {"SCAN", "0"},
	{"EVAL", "s", "0"}, {"HELLO", "3"}, {"LLEN", "q"},
	{"INFO", "memory"}, {"CONFIG", "GET", "save"},
	{"SCRIPT", "LOAD", "s"}, {"EVALSHA", "s", "1", "q", "g", "1000", "w"}, {"XINFO", "GROUPS", "q"}, {"XPENDING", "q", "g"},
	{"SENTINEL", "GET-MASTER-ADDR-BY-NAME", "m"}, {"CLUSTER", "NODES"},
}

const goodReplies = ":1\r\n-WRONGTYPE no\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n" +
	"*2\r\n:1\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nq\r\n-WRONGTYPE no\r\n" +
	">2\r\n$10\r\ninvalidate\r\n_\r\n*2\r\n$1\r\n7\r\n*2\r\n$4\r\na\r\nb\r\n$0\r\n\r\n*2\r\n:1\r\n:0\r\n" +
	"%2\r\n$5\r\nproto\r\n:3\r\n+modules\r\n*1\r\n%1\r\n$4\r\nname\r\n$2\r\nbf\r\n$-1\r\n" +
	"=9\r\ntxt:a:b\r\n\r\n%1\r\n+save\r\n$0\r\n\r\n" +
	"$1\r\ns\r\n*3\r\n:1\r\n:1\r\n:0\r\n*1\r\n%2\r\n$4\r\nname\r\n$1\r\ng\r\n$3\r\nlag\r\n_\r\n" +
	"*4\r\n:1\r\n$3\r\n0-1\r\n$3\r\n0-1\r\n*1\r\n*2\r\n$1\r\nw\r\n$1\r\n1\r\n" +
	"*2\r\n$9\r\n10.0.0.12\r\n$4\r\n6379\r\n" +
	"$9\r\nid a:1@2\n\r\n"

// script is a network connection to a server that answers the library's greeting, and has fixed bytes for the commands
// in asked.
type script struct {
	net.Conn
	version string
	data    []byte
	piece   int

	mu       sync.Mutex
	change   sync.Cond
	commands commands
	seen     int
	greeted  bool
	greeting []byte
	closed   bool
	// passed is what the guard has let through of the data.
	passed []byte
}

func newScript(version string, data []byte, piece int) *script {
	s := &script{version: version, data: data, piece: piece}
	s.change.L = &s.mu
	s.commands.complete = func(bounds) {
		s.seen++
		switch {
		case s.greeted:
		case s.version < "6":
			s.greeting = append(s.greeting, "-ERR unknown command 'HELLO'\r\n"...)
		case s.seen == 1:
			s.greeting = append(s.greeting, "%2\r\n+proto\r\n:3\r\n+version\r\n+"+version+"\r\n"...)
		default:
			s.greeting = append(s.greeting, "+OK\r\n"...)
		}
	}
	return s
}

// read has the library read the replies to what was asked.
func (s *script) read(t *testing.T) (replies []string) {
	r := &reach{config: Config{Address: "server:6379"}}
	option := r.pushed(func([]rueidis.RedisMessage) {})
	if s.version < "6" {
		option = r.polled()
	}
	option.DialCtxFn = func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.greeted || s.seen > 0 {
			return nil, net.ErrClosed
		}
		return &tee{newGuard(s), s}, nil
	}
	client, err := connect(option)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s.mu.Lock()
	s.greeted, s.seen = true, 0
	s.mu.Unlock()
	var commands rueidis.Commands
	for _, words := range asked {
		commands = append(commands, client.B().Arbitrary(words...).Build())
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, result := range client.DoMulti(ctx, commands...) {
		message, err := result.ToMessage()
		_, refused := rueidis.IsRedisErr(err)
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			t.Fatal("the library waits for more than has come")
		case err != nil && !refused && !rueidis.IsRedisNil(err):
			replies = append(replies, "none")
		default:
			replies = append(replies, message.String())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.closed { // until the library has read everything, and has given the connection up
		s.change.Wait()
	}
	return replies
}

// tee notes what the library reads.
type tee struct {
	*guard
	script *script
}

func (r *tee) Read(p []byte) (int, error) {
	n, err := r.guard.Read(p)
	r.script.mu.Lock()
	defer r.script.mu.Unlock()
	if r.script.greeted {
		r.script.passed = append(r.script.passed, p[:n]...)
	}
	return n, err
}

func (s *script) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commands.scan(p)
	s.change.Broadcast()
	return len(p), nil
}

func (s *script) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.closed && len(s.greeting) == 0 && (!s.greeted || s.seen < len(asked)) {
		s.change.Wait()
	}
	from := &s.data
	if len(s.greeting) > 0 {
		from = &s.greeting
	}
	if s.closed || len(*from) == 0 {
		return 0, io.EOF
	}
	if s.piece > 0 {
		p = p[:min(len(p), s.piece)]
	}
	n := copy(p, *from)
	*from = (*from)[n:]
	return n, nil
}

func (s *script) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.change.Broadcast()
	return nil
}

func (*script) SetDeadline(time.Time) error { return nil }

// parseReplies reads replies by the letter of the protocol, and shows them as the library does. Pushes are left out.
func parseReplies(text []byte) (replies []string, incomplete string) {
	rest := string(text)
	for rest != "" {
		m, kind, after, ok := parseReply(rest)
		if !ok {
			break
		}
		rest = after
		if kind != '>' {
			shown, _ := json.Marshal(m)
			replies = append(replies, string(shown))
		}
	}
	return replies, rest
}

type shownReply struct {
	Value any    `json:"Value,omitempty"`
	Type  string `json:"Type,omitempty"`
	Error string `json:"Error,omitempty"`
}

var nullReply = shownReply{Type: "null", Error: "redis nil message"}

func parseReply(text string) (m shownReply, kind byte, rest string, ok bool) {
	line, rest, ok := strings.Cut(text, "\r\n")
	if !ok {
		return m, 0, "", false
	}
	kind, line = line[0], line[1:]
	n, _ := strconv.Atoi(line)
	switch kind {
	case '+':
		return shownReply{Type: "simple string", Value: line}, kind, rest, true
	case '-':
		return shownReply{Type: "simple error", Error: strings.TrimPrefix(line, "ERR ")}, kind, rest, true
	case ':':
		return shownReply{Type: "int64", Value: n}, kind, rest, true
	case '_':
		return nullReply, kind, rest, true
	case '$', '=':
		if n < 0 {
			return nullReply, kind, rest, true
		}
		if len(rest) < n+2 {
			return m, 0, "", false
		}
		return shownReply{Type: map[byte]string{'$': "blob string", '=': "verbatim string"}[kind], Value: rest[:n]}, kind, rest[n+2:], true
	}
	m.Type = map[byte]string{'*': "array", '%': "map", '>': "push"}[kind]
	if kind == '%' {
		n *= 2
	}
	if n < 0 {
		return nullReply, kind, rest, true
	}
	elements := []shownReply{}
	for range n {
		var element shownReply
		if element, _, rest, ok = parseReply(rest); !ok {
			return m, 0, "", false
		}
		elements = append(elements, element)
	}
	m.Value = elements
	return m, kind, rest, true
}
