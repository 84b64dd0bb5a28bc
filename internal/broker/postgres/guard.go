package postgres

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"sync/atomic"
)

// Bounds of what a server may send.
const (
	// longestMessage is enough for the server's words, and for a notification.
	longestMessage = 16 << 10
	// mostAtConnect and mostMessages are for the greeting, and for each exchange beside its rows.
	mostAtConnect = 64 << 10
	mostMessages  = 300
	// mostOfRow is enough for a row, with the longest name of a worker.
	mostOfRow = 1200
	// mostColumns is how many a row may have.
	mostColumns = 500
	// mostParameters are the settings that a server may tell of over one connection: the library keeps them.
	mostParameters = 200
)

var (
	errTooMuch = errors.New("the server sends more than it was asked for; is it PostgreSQL?")
	errOdd     = errors.New("the server sends what is no message of PostgreSQL; is it PostgreSQL?")
)

const (
	// backend has the types of the messages that a server may send to a client like us.
	backend = "RKSZTDCIEAN123nts"
	// The first five bytes of a message are its type and its length; rows have the number of their values after them.
	headLength, rowHeadLength = 5, 7
)

// guard stands between the network and the library. It follows where each message begins and ends, and keeps notifications
// and notices from the library, which would store each.
type guard struct {
	net.Conn
	notified func(payload string)
	// left and messages are what the server may still send.
	left, messages atomic.Int64
	// head has what there is of the next message's beginning, and body how much of its body is to come.
	head [rowHeadLength]byte
	have int
	body int
	// notification has the body of one, up to the message's end.
	notification []byte
	parameters   int
	err          error
}

func newGuard(conn net.Conn, notified func(string)) *guard {
	g := &guard{Conn: conn, notified: notified}
	g.allow(0)
	return g
}

// allow lets the server send so many rows.
func (g *guard) allow(rows int) {
	g.left.Store(mostAtConnect + int64(rows)*mostOfRow)
	g.messages.Store(mostMessages + int64(rows))
}

// Read is net.Conn's. One goroutine reads at a time. It returns once there is something for the library.
func (g *guard) Read(b []byte) (int, error) {
	for g.err == nil {
		n, err := g.Conn.Read(b)
		var kept int
		if kept, g.err = g.filter(b[:n]); g.err != nil {
			break
		}
		if g.left.Add(-int64(kept)) < 0 {
			g.err = errTooMuch
			break
		}
		if kept > 0 || err != nil || len(b) == 0 {
			return kept, err
		}
	}
	return 0, g.err
}

// filter follows the messages, and moves what is for the library to the front.
func (g *guard) filter(b []byte) (kept int, err error) {
	for at := 0; at < len(b); {
		part := b[at : at+1]
		if g.body > 0 {
			part = b[at:min(at+g.body, len(b))]
			g.body -= len(part)
			err = g.inBody(part)
		} else {
			err = g.inHead(part[0])
		}
		if err != nil {
			return 0, err
		}
		at += len(part)
		if kind := g.head[0]; kind != 'A' && kind != 'N' {
			kept += copy(b[kept:], part)
		}
	}
	return kept, nil
}

// inHead takes a byte of a message's beginning.
func (g *guard) inHead(c byte) error {
	if g.have == g.headEnd() {
		g.have = 0
	}
	g.head[g.have] = c
	g.have++
	switch {
	case g.have == 1:
		return g.begins(c)
	case g.have < g.headEnd():
		return nil
	}
	length := binary.BigEndian.Uint32(g.head[1:headLength])
	if least := uint32(g.have - 1); length < least || length-least > longestMessage {
		return errOdd
	}
	if g.have == rowHeadLength && binary.BigEndian.Uint16(g.head[headLength:]) > mostColumns {
		return errOdd
	}
	g.body = int(length) - (g.have - 1)
	if g.body == 0 {
		return g.inBody(nil)
	}
	return nil
}

// headEnd is how long the beginning of the present message is.
func (g *guard) headEnd() int {
	if g.head[0] == 'D' || g.head[0] == 'T' {
		return rowHeadLength
	}
	return headLength
}

// begins takes the type of a message.
func (g *guard) begins(kind byte) error {
	g.notification = g.notification[:0]
	switch {
	case !strings.ContainsRune(backend, rune(kind)):
		return errOdd
	case kind == 'A':
		return nil
	case kind == 'S':
		if g.parameters++; g.parameters > mostParameters {
			return errTooMuch
		}
	}
	if g.messages.Add(-1) < 0 {
		return errTooMuch
	}
	return nil
}

// inBody takes a part of a message's body. Of a notification it keeps that, and tells it at the end.
func (g *guard) inBody(part []byte) error {
	if g.head[0] != 'A' {
		return nil
	}
	g.notification = append(g.notification, part...)
	if g.body > 0 {
		return nil
	}
	const process = 4
	if len(g.notification) < process {
		return errOdd
	}
	_, payload, found := bytes.Cut(g.notification[process:], []byte{0})
	payload, ended := bytes.CutSuffix(payload, []byte{0})
	if !found || !ended {
		return errOdd
	}
	g.notified(string(payload))
	return nil
}
