package rabbitmq

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
)

// frame is one of a kind on channel 1.
func frame(kind byte, payload string) string {
	return string(append(binary.BigEndian.AppendUint32([]byte{kind, 0, 1}, uint32(len(payload))), payload+"\xce"...))
}

const declareOK = "\x00\x32\x00\x0b\x01q\x00\x00\x00\x07\x00\x00\x00\x00"

// sent is a connection on which a server has sent something, and closed.
type sent struct {
	net.Conn
	io.Reader
}

func (s sent) Read(p []byte) (int, error) { return s.Reader.Read(p) }

func TestWhatAServerMaySend(t *testing.T) {
	const atLogin = answersToLogin + spareAnswers
	fine, closeOK, blockedOnce := frame(frameMethod, declareOK), frame(frameMethod, "\x00\x14\x00\x29"), frame(frameMethod, "\x00\x0a\x00\x3c\x00")
	many := strings.Repeat
	cases := map[string]struct {
		sent, passes string
		says         string
	}{
		"an answer":                        {fine, fine, "EOF"},
		"a heartbeat and an answer":        {frame(frameHeartbeat, "") + fine, frame(frameHeartbeat, "") + fine, "EOF"},
		"an answer in part":                {fine + fine[:len(fine)-1], fine, "EOF"},
		"another protocol":                 {"HTTP/1.1 400 Bad Request\r\n", "", "does not speak AMQP"},
		"another version":                  {"AMQP\x00\x01\x00\x00", "", "does not speak AMQP"},
		"a message":                        {frame(3, "body"), "", "does not speak AMQP"},
		"a frame that is too long":         {string([]byte{1, 0, 1, 0, 0, 0x40, 1}), "", "too long"},
		"a frame of the most":              {string([]byte{1, 0, 1, 0xff, 0xff, 0xff, 0xff}), "", "too long"},
		"a frame without its end":          {fine[:len(fine)-1] + "x", "", "without its end"},
		"a heartbeat with words":           {frame(frameHeartbeat, "x"), "", "heartbeat"},
		"a method without its number":      {frame(frameMethod, "\x00\x32"), "", "without its number"},
		"a method that nobody asked for":   {frame(frameMethod, "\x00\x3c\x00\x3c"), "", "not asked for"},
		"a string longer than its frame":   {frame(frameMethod, strings.Replace(declareOK, "\x01q", "\xffq", 1)), "", "not asked for"},
		"a string shorter than its frame":  {frame(frameMethod, declareOK+"x"), "", "not asked for"},
		"a table longer than its frame":    {frame(frameMethod, "\x00\x14\x00\x0b\xff\xff\xff\xff"), "", "not asked for"},
		"a channel that is open":           {frame(frameMethod, "\x00\x14\x00\x0b\x00\x00\x00\x00"), frame(frameMethod, "\x00\x14\x00\x0b\x00\x00\x00\x00"), "EOF"},
		"words and words":                  {many(frame(frameHeartbeat, ""), mostUnasked+1), many(frame(frameHeartbeat, ""), mostUnasked), "not asked for"},
		"an answer between words and more": {many(frame(frameHeartbeat, ""), mostUnasked) + fine + many(blockedOnce, 2), many(frame(frameHeartbeat, ""), mostUnasked) + fine, "not asked for"},
		"answers and answers":              {many(fine, 2*atLogin), many(fine, atLogin), "not asked for"},
		"channels that are closed":         {many(closeOK, 2*atLogin), many(closeOK, atLogin), "not asked for"},
		"words between answers and more":   {many(fine, atLogin) + blockedOnce + closeOK, many(fine, atLogin) + blockedOnce, "not asked for"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			g := newGuard(sent{Reader: strings.NewReader(c.sent)})
			got, err := io.ReadAll(onlyRead{g})
			if string(got) != c.passes {
				t.Errorf("it let %d bytes through, %.60q, want %d, %.60q", len(got), got, len(c.passes), c.passes)
			}
			_, found := g.failure()
			if err == nil {
				err = found // io.ReadAll takes the end for no failure
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the failure is %v, want %q", err, c.says)
			}
		})
	}
}

// Each read lets its own answers come, and nothing that earlier ones have left.
func TestWhatIsExpected(t *testing.T) {
	g := newGuard(sent{Reader: strings.NewReader(strings.Repeat(frame(frameMethod, declareOK)+frame(frameHeartbeat, ""), 10*mostUnasked))})
	pair := make([]byte, len(frame(frameMethod, declareOK)+frame(frameHeartbeat, "")))
	for _, asked := range []int{0, 7, 50, 1, 1} {
		g.expect(1000)
		g.expect(asked)
		for range asked + spareAnswers {
			if _, err := io.ReadFull(onlyRead{g}, pair); err != nil {
				t.Fatalf("%d answers are expected: %v", asked, err)
			}
		}
	}
	if _, err := io.ReadFull(onlyRead{g}, pair); err == nil || !strings.Contains(err.Error(), "not asked for") {
		t.Errorf("one more answer than expected is %v", err)
	}
}

type onlyRead struct{ io.Reader }

// FuzzGuard sends any bytes through the guard to the library: it must come to an end, without a panic.
func FuzzGuard(f *testing.F) {
	start := "\x00\x0a\x00\x0a\x00\x09\x00\x00\x00\x00\x00\x00\x00\x05PLAIN\x00\x00\x00\x05en_US"
	tune := "\x00\x0a\x00\x1e\x00\x20\x00\x00\x40\x00\x00\x0a"
	whole := strings.ReplaceAll(frame(frameMethod, start)+frame(frameMethod, tune)+frame(frameMethod, "\x00\x0a\x00\x29\x00"), "\x00\x01\x00\x00\x00", "\x00\x00\x00\x00\x00")
	f.Add([]byte(whole))
	f.Add([]byte(whole[:40]))
	f.Add([]byte(whole + frame(frameMethod, "\x00\x14\x00\x0b\x00\x00\x00\x00") + frame(frameMethod, declareOK)))
	f.Add([]byte(whole + frame(frameHeartbeat, "") + frame(frameMethod, "\x00\x14\x00\x28\x01\x94\x01x\x00\x00\x00\x00")))
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		client, server := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			go func() { _, _ = io.Copy(io.Discard, server) }()
			_, _ = server.Write(said)
			_ = server.Close()
		}()
		l, err := handshake(t.Context(), client, Config{Address: "fuzz", Username: "u", VHost: "/"})
		if err == nil {
			_, err = l.declare(t.Context(), []string{"q", "r"})
			l.cut()
		}
		_ = client.Close()
		<-done
		if err != nil && len(err.Error()) > 600 {
			t.Errorf("the error has %d bytes", len(err.Error()))
		}
	})
}
