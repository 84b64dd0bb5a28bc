package rabbitmq

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"sync"
)

// Bounds of what a server may send: far above what it does.
const (
	// longestFrame is how many bytes a frame may carry. The longest that comes is the server's introduction.
	longestFrame = 16 << 10
	// mostUnasked is how many frames that answer nothing may come between two reads: heartbeats, and words on the server's
	// memory.
	mostUnasked = 1000
	// answersToLogin is how many answers a login has.
	answersToLogin = 3
	// spareAnswers is how many may come beside those that were asked for: the server may close each channel, and says goodbye.
	spareAnswers = 2 * mostChannels
)

// Kinds of frames, and what ends each.
const (
	frameMethod    = 1
	frameHeartbeat = 8
	frameEnd       = 0xCE
	headerLength   = 7
)

// method is a method of AMQP: its class and its number.
type method struct{ class, number uint16 }

// shapes has the methods that a server may send, and what stands in each: a digit is so many bytes, s a short string, and
// l a long one or a table.
var shapes = map[method]string{
	{10, 10}: "2lll", // connection.start: the version, properties, mechanisms and locales
	{10, 30}: "8",    // connection.tune
	{10, 41}: "s",    // connection.open-ok
	{10, 50}: "2s4",  // connection.close: a code, words, and the method that failed
	{10, 51}: "",     // connection.close-ok
	{10, 60}: "s",    // connection.blocked
	{10, 61}: "",     // connection.unblocked
	{20, 11}: "l",    // channel.open-ok
	{20, 40}: "2s4",  // channel.close
	{20, 41}: "",     // channel.close-ok
	{50, 11}: "s8",   // queue.declare-ok: the queue, its messages and its consumers
	{60, 11}: "",     // basic.qos-ok
}

// blocked and unblocked answer nothing.
var blocked, unblocked = method{10, 60}, method{10, 61}

// guard reads what the server sends, frame by frame, before the library does. The library gets whole frames alone, of
// methods that this driver expects, with nothing in them that is longer than its frame.
type guard struct {
	net.Conn
	in    *bufio.Reader
	frame [headerLength + longestFrame + 1]byte
	rest  []byte // of the frame, what the library has not read yet

	mu sync.Mutex
	// answers is how many more may come; unasked is how much else.
	answers, unasked int
	err              error
	any              bool
}

// newGuard lets the answers to a login come.
func newGuard(conn net.Conn) *guard {
	g := &guard{Conn: conn, in: bufio.NewReader(conn)}
	g.expect(answersToLogin)
	return g
}

// expect lets so many answers come, and as much else as may come between two reads. All answers that were asked for before
// have come.
func (g *guard) expect(answers int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answers, g.unasked = answers+spareAnswers, mostUnasked
}

// Read is for the one goroutine in which the library reads.
func (g *guard) Read(p []byte) (int, error) {
	if len(g.rest) == 0 {
		if err := g.next(); err != nil {
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.err == nil {
				g.err = err
			}
			return 0, err
		}
	}
	n := copy(p, g.rest)
	g.rest = g.rest[n:]
	return n, nil
}

// failure is why no more could be read, nil where more can; spoke is whether the server has sent a frame at all.
func (g *guard) failure() (spoke bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.any, g.err
}

// next reads and checks one frame.
func (g *guard) next() error {
	kind, err := g.in.Peek(1)
	if err != nil {
		return err
	}
	if kind[0] != frameMethod && kind[0] != frameHeartbeat {
		return strange{"the server does not speak AMQP 0-9-1 there (if it speaks TLS, set config.tls)"}
	}
	header := g.frame[:headerLength]
	if _, err := io.ReadFull(g.in, header); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(header[3:])
	if size > longestFrame {
		return strange{"the server sent a frame that is too long"}
	}
	whole := g.frame[:headerLength+int(size)+1]
	if _, err := io.ReadFull(g.in, whole[headerLength:]); err != nil {
		return err
	}
	if whole[len(whole)-1] != frameEnd {
		return strange{"the server sent a frame without its end"}
	}
	if err := g.check(whole[0], whole[headerLength:len(whole)-1]); err != nil {
		return err
	}
	g.mu.Lock()
	g.any = true
	g.mu.Unlock()
	g.rest = whole
	return nil
}

// check refuses what is not expected of a server.
func (g *guard) check(kind byte, payload []byte) error {
	if kind == frameHeartbeat {
		if len(payload) > 0 {
			return strange{"the server sent a heartbeat that is none"}
		}
		return g.count(false)
	}
	if len(payload) < 4 {
		return strange{"the server sent a method without its number"}
	}
	m := method{binary.BigEndian.Uint16(payload), binary.BigEndian.Uint16(payload[2:])}
	shape, known := shapes[m]
	if !known || !fits(payload[4:], shape) {
		return strange{"the server sent a method that was not asked for"}
	}
	return g.count(m != blocked && m != unblocked)
}

// count takes one frame off what may come.
func (g *guard) count(isAnswer bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	left := &g.unasked
	if isAnswer {
		left = &g.answers
	}
	if *left--; *left < 0 {
		return strange{"the server sent much that was not asked for"}
	}
	return nil
}

// fits reports whether arguments have a shape, and nothing after it.
func fits(arguments []byte, shape string) bool {
	for _, part := range []byte(shape) {
		length := 0
		switch {
		case part == 's' && len(arguments) >= 1:
			length = 1 + int(arguments[0])
		case part == 'l' && len(arguments) >= 4:
			length = 4 + int(min(binary.BigEndian.Uint32(arguments), longestFrame))
		case part >= '0' && part <= '9':
			length = int(part - '0')
		default:
			return false
		}
		if length > len(arguments) {
			return false
		}
		arguments = arguments[length:]
	}
	return len(arguments) == 0
}
