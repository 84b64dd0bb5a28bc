package redis

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
)

// guard stands between the client library and the network. The library panics on a reply that nobody asked
// for, in a goroutine of its own where nothing can recover it, and believes every length that it is told.
// Some proxies say good-bye unasked, and whoever may create a ScalerConfig chooses the server: neither may
// take the operator down, and all other fleets with it.
type guard struct {
	net.Conn
	sent, received scanner
	// owed counts the commands that have no reply yet.
	owed atomic.Int64
}

// Limits of what a server may send: far above what the driver asks for.
const (
	maxLine     = 64 << 10
	maxBulk     = 16 << 20
	maxElements = 1 << 20
	maxDepth    = 8
)

var errUnasked = errors.New("the server sent a reply that was not asked for; is it Redis?")

// dialGuarded is the client library's way to the server.
func dialGuarded(ctx context.Context, address string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
	var (
		conn net.Conn
		err  error
	)
	if config != nil {
		conn, err = (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", address)
	} else {
		conn, err = dialer.DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return nil, err
	}
	return newGuard(conn), nil
}

func newGuard(conn net.Conn) *guard {
	g := &guard{Conn: conn}
	g.sent.begins = func(byte) error {
		g.owed.Add(1)
		return nil
	}
	g.received.begins = func(kind byte) error {
		if kind != '>' && g.owed.Add(-1) < 0 {
			return errUnasked
		}
		return nil
	}
	return g
}

// Write is called by one goroutine at a time, and so is Read.
func (g *guard) Write(p []byte) (int, error) {
	if err := g.sent.scan(p); err != nil { // before it is sent: the reply may be quick
		return 0, err
	}
	return g.Conn.Write(p)
}

func (g *guard) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if unfit := g.received.scan(p[:n]); unfit != nil {
		return 0, unfit
	}
	return n, err
}

// scanner follows the frames of RESP, versions 2 and 3, without keeping them.
type scanner struct {
	// begins is called with the type of each value that is part of no other.
	begins func(kind byte) error
	// line is the beginning of a line whose end has not come yet.
	line []byte
	// skip counts the bytes of a string that have not come yet, its line end included.
	skip int
	// open has, for each array that is not complete, how many elements are still to come.
	open []int
	// push is true in a push until its first element, which says of what, is known; what has that one.
	push bool
	what []byte
}

func (s *scanner) scan(p []byte) error {
	for len(p) > 0 {
		var err error
		if s.skip > 0 {
			n := min(s.skip, len(p))
			s.note(p[:n])
			if s.skip -= n; s.skip == 0 {
				err = s.complete()
			}
			p = p[n:]
		} else {
			p, err = s.scanLine(p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) scanLine(p []byte) (rest []byte, err error) {
	line, rest, found := bytes.Cut(p, []byte("\n"))
	if len(s.line)+len(line) > maxLine {
		return nil, errors.New("the server sent a line without an end; is it Redis?")
	}
	s.line = append(s.line, line...)
	if !found {
		return nil, nil
	}
	err = s.header(bytes.TrimSuffix(s.line, []byte("\r")))
	s.line = s.line[:0]
	return rest, err
}

// header is the line that a value begins with.
func (s *scanner) header(line []byte) error {
	if len(line) == 0 {
		return errors.New("the server sent an empty line; is it Redis?")
	}
	kind := line[0]
	if len(s.open) == 0 {
		s.push, s.what = kind == '>', nil
		if err := s.begins(kind); err != nil {
			return err
		}
	}
	switch kind {
	case '+', '-', ':', '_', '#', ',', '(':
		s.note(line[1:])
		return s.complete()
	case '$', '=', '!':
		n, err := announced(line, maxBulk)
		if err != nil || n < 0 {
			return errors.Join(err, s.complete())
		}
		s.skip = n + len("\r\n")
		return nil
	case '*', '~', '>', '%':
		return s.array(kind, line)
	}
	return fmt.Errorf("the server sent a line that begins with %q; is it Redis?", kind)
}

func (s *scanner) array(kind byte, line []byte) error {
	n, err := announced(line, maxElements)
	if err != nil || n <= 0 {
		return errors.Join(err, s.complete())
	}
	if kind == '%' {
		n *= 2
	}
	if last := len(s.open) - 1; kind == '>' && last >= 0 {
		s.open[last]++ // Redis 6 may put a push between the elements of a reply (redis/redis#8935)
	}
	if s.open = append(s.open, n); len(s.open) > maxDepth {
		return errors.New("the server sent a reply that is nested too deeply; is it Redis?")
	}
	return nil
}

func announced(line []byte, most int) (int, error) {
	n, err := strconv.Atoi(string(line[1:]))
	if err != nil || n < -1 || n > most {
		return 0, errors.New("the server sent a length that cannot be; is it Redis?")
	}
	return n, nil
}

func (s *scanner) note(part []byte) {
	if s.push {
		s.what = append(s.what, part...)
	}
}

// complete is called at the end of each value, and ends the arrays that are complete with it.
func (s *scanner) complete() error {
	if s.push {
		s.push = false
		// The library takes the confirmation of a subscription for a reply. There are no subscriptions.
		if bytes.HasSuffix(bytes.TrimSpace(s.what), []byte("subscribe")) {
			return errUnasked
		}
	}
	for last := len(s.open) - 1; last >= 0; last-- {
		if s.open[last]--; s.open[last] > 0 {
			break
		}
		s.open = s.open[:last]
	}
	return nil
}
