package nats

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of what a server may send: far above what it does.
const (
	longestLine = 8 << 10
	longestInfo = 32 << 10
	// longestAnswer bounds one answer of the API. The longest that a server makes of a consumer has 128 KiB of metadata.
	longestAnswer = 256 << 10
	// longestHeader bounds the headers of an answer: the client library reads them into a map.
	longestHeader = 1 << 10
	// mostLines bounds what comes between two exchanges, beside the answers that were asked for: rings of the doorbell, late
	// answers, pings.
	mostLines = 4 << 10
	// mostLineBytes bounds the same in bytes, beside bytesPerRing for each ring that may come.
	mostLineBytes = 256 << 10
	bytesPerRing  = 1 << 10
	// bytesPerAnswer is what the answers of one exchange may have on average, line and all, beside one that is the longest:
	// all of them are in memory at once where the server is faster than the operator.
	bytesPerAnswer = 8 << 10
	// writeTimeout bounds one write: a server that hangs reads nothing.
	writeTimeout = 5 * time.Second
)

// tooLong stands in the place of an answer that is longer than any may be.
const tooLong = "too long"

// tooMuch stands in the place of an answer with which all answers of the exchange have more bytes than they may.
const tooMuch = "too much"

// strange is what no NATS server sends.
type strange struct{ what string }

func (s strange) Error() string { return s.what + "; is it NATS?" }

// refusal is what the server says before it closes a connection.
type refusal struct{ text string }

func (r refusal) Error() string { return r.text }

var errLine = strange{"the server sent a line without an end"}

// guard reads what a server sends before the client library does, which believes every length. It passes on what is in
// order, and ends the connection at anything else. Of messages that are no answers, it passes on that they came, and not
// what they have in them.
type guard struct {
	net.Conn
	in *bufio.Reader
	// inbox is the beginning of the subjects of answers.
	inbox []byte

	// out is what is to be passed on before anything is read; payload is how much of a message follows it; skip is how much
	// is thrown away after that.
	out           []byte
	payload, skip int64

	mu sync.Mutex
	// answers is how many more may come; lines is how much else.
	answers, lines int
	// bytes is how many bytes the answers may still have; lineBytes is how many all else may have.
	bytes, lineBytes int
	// cause is the first failure.
	cause error
}

func newGuard(conn net.Conn, inbox string) *guard {
	return &guard{Conn: conn, in: bufio.NewReaderSize(conn, longestLine), inbox: []byte(inbox + "."), lines: mostLines, lineBytes: mostLineBytes}
}

// expect begins an exchange: it lets so many more answers come, and as many lines as may come between two exchanges.
func (g *guard) expect(answers, rings int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answers, g.lines = min(g.answers, mostLines)+answers, mostLines+rings
	g.bytes, g.lineBytes = longestAnswer+answers*bytesPerAnswer, mostLineBytes+rings*bytesPerRing
}

// failure is the first failure of the connection; nil where there is none.
func (g *guard) failure() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cause
}

func (g *guard) fail(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cause == nil {
		g.cause = err
	}
	return err
}

// Write sets a deadline for itself: nothing else bounds how long the client library waits.
func (g *guard) Write(b []byte) (int, error) {
	if err := g.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, g.fail(err)
	}
	n, err := g.Conn.Write(b)
	if err != nil {
		return n, g.fail(err)
	}
	return n, nil
}

// Read passes on what is in order.
func (g *guard) Read(b []byte) (int, error) {
	for len(g.out) == 0 && g.payload == 0 {
		if err := g.next(); err != nil {
			return 0, g.fail(err)
		}
	}
	if len(g.out) > 0 {
		n := copy(b, g.out)
		g.out = g.out[n:]
		return n, nil
	}
	n, err := g.in.Read(b[:min(int64(len(b)), g.payload)])
	if g.payload -= int64(n); g.payload == 0 && err == nil {
		err = g.end()
	}
	if err != nil {
		return 0, g.fail(err)
	}
	return n, nil
}

// end reads the end of a message.
func (g *guard) end() error {
	var end [2]byte
	if _, err := io.ReadFull(g.in, end[:]); err != nil {
		return err
	}
	if string(end[:]) != "\r\n" {
		return strange{"the server sent a message that is longer than it said"}
	}
	g.out = append(g.out, end[:]...)
	return nil
}

// next reads one line, and decides what is passed on.
func (g *guard) next() error {
	for g.skip > 0 { // in steps, so that a deadline is kept
		n, err := g.in.Discard(int(min(g.skip, longestLine)))
		g.skip -= int64(n)
		if err != nil {
			return err
		}
		if g.skip == 0 {
			return g.end()
		}
	}
	line, err := g.line()
	if err != nil {
		return err
	}
	switch word, rest, _ := bytes.Cut(line, []byte(" ")); string(word) {
	case "MSG":
		return g.message(rest, false)
	case "HMSG":
		return g.message(rest, true)
	case "PING", "PONG", "+OK":
		if len(rest) > 0 {
			return strange{"the server sent a line with too much in it"}
		}
	case "-ERR":
		g.note(rest)
	case "INFO":
	default:
		return strange{"the server sent what has no meaning"}
	}
	g.out = append(append(g.out[:0], line...), "\r\n"...)
	return g.count(len(line))
}

// note keeps what the server says is wrong: the library has forgotten it by the time that the connection is found closed.
// A right that is missing closes nothing.
func (g *guard) note(says []byte) {
	text := string(bytes.Trim(says, "' "))
	if !strings.HasPrefix(strings.ToLower(text), "permissions violation") {
		_ = g.fail(refusal{text})
	}
}

// count takes one line, of so many bytes, off what may come.
func (g *guard) count(bytes int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lines--
	g.lineBytes -= bytes
	if g.lines < 0 || g.lineBytes < 0 {
		return strange{"the server sent much that was not asked for"}
	}
	return nil
}

// line reads a line, without its end. That of INFO may be longer than others.
func (g *guard) line() ([]byte, error) {
	line, err := g.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) && bytes.HasPrefix(line, []byte("INFO ")) {
		whole := bytes.Clone(line)
		for errors.Is(err, bufio.ErrBufferFull) && len(whole) < longestInfo {
			line, err = g.in.ReadSlice('\n')
			whole = append(whole, line...)
		}
		line = whole
	}
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, errLine
	case err != nil:
		return nil, err
	}
	text, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok {
		return nil, strange{"the server sent a line that ends in another way"}
	}
	if bytes.ContainsAny(text, "\x00\r") {
		return nil, strange{"the server sent a line with what cannot be printed"}
	}
	return text, nil
}

// message reads the line of a message: subject, subscription, perhaps where to answer, perhaps the length of the headers,
// and the length of the whole.
func (g *guard) message(line []byte, headers bool) error {
	words, numbers := bytes.Fields(line), 1
	if headers {
		numbers = 2
	}
	if n := len(words) - numbers; n < 2 || n > 3 {
		return strange{"the server sent a message without all that belongs to it"}
	}
	size, ok := length(words[len(words)-1])
	header := int64(0)
	if headers && ok {
		header, ok = length(words[len(words)-2])
	}
	if _, isID := length(words[1]); !ok || !isID || header > size {
		return strange{"the server sent a length that cannot be"}
	}
	if !g.admit(words[0]) {
		if err := g.replace(words, "", size); err != nil {
			return err
		}
		return g.count(len(line))
	}
	switch {
	case size > longestAnswer || header > longestHeader:
		return g.replace(words, tooLong, size)
	case !g.fits(int(size) + len(line)):
		return g.replace(words, tooMuch, size)
	}
	verb := "MSG"
	if headers {
		verb = "HMSG"
	}
	g.out = fmt.Appendf(g.out[:0], "%s %s\r\n", verb, line)
	if g.payload = size; size == 0 {
		return g.end()
	}
	return nil
}

// replace passes on a message with another text, and throws away what it has.
func (g *guard) replace(words [][]byte, text string, size int64) error {
	g.out = fmt.Appendf(g.out[:0], "MSG %s %s %d\r\n%s", words[0], words[1], len(text), text)
	if g.skip = size; size == 0 {
		return g.end()
	}
	return nil
}

// admit reports whether a message is an answer that was asked for: those alone are read.
func (g *guard) admit(subject []byte) bool {
	if !bytes.HasPrefix(subject, g.inbox) || len(subject) > longestSubject {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.answers == 0 {
		return false
	}
	g.answers--
	return true
}

// fits reports whether the answers may have so many more bytes, and takes them off.
func (g *guard) fits(bytes int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if bytes > g.bytes {
		return false
	}
	g.bytes -= bytes
	return true
}

// length reads a number as the library does, and no larger than it can keep.
func length(text []byte) (int64, bool) {
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	return n, err == nil && n <= math.MaxInt32
}
