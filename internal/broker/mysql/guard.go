package mysql

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// Bounds of what a server may send.
const (
	// longestPacket is enough for a row, and for the server's words.
	longestPacket = 16 << 10
	// mostAtLogin and mostOfReply are for the login, and for each reply beside its rows and parameters.
	mostAtLogin = 64 << 10
	mostOfReply = 64 << 10
	mostPackets = 600
	// mostOfRow is enough for a row with the longest name of a worker, and mostOfParameter for what is said of a parameter.
	mostOfRow       = 1200
	mostOfParameter = 64
	// mostColumns is how many a row may have.
	mostColumns = 500
)

var (
	errTooMuch = errors.New("the server sends more than it was asked for; is it MySQL or MariaDB?")
	errOdd     = errors.New("the server sends what is no packet of MySQL; is it MySQL or MariaDB?")
	errFile    = errors.New("the server asks for a file of the operator's, and gets none; is it what it says it is?")
	errTimes   = errors.New("the query has a column with a date or a time, which nobody looks at; leave it out, or make it a text")
)

// errPlugin is a way to show the password that is not taken.
type errPlugin struct{ name string }

func (e errPlugin) Error() string { return fmt.Sprintf("the server wants the password by %q", e.name) }

// headLength is that of a packet's beginning: its length, and its number.
const headLength = 4

func lengthOf(head []byte) int { return int(head[0]) | int(head[1])<<8 | int(head[2])<<16 }

// guard stands between the network and the library. The library trusts lengths, and panics where something is missing; it
// gets whole packets that were checked, one at a time. The guard knows what was asked, and so what the answer may be.
type guard struct {
	net.Conn
	in *bufio.Reader
	// ready is what the library has not read yet.
	ready []byte
	// expect checks the next packet.
	expect func(packet []byte) error
	// next is the number of the next packet. While hidden is not 0, the library knows of so many packets less.
	next, hidden byte
	// plugin is how the password is shown, and secure whether nobody on the way can read it.
	plugin string
	secure bool
	// packets and left are what the server may still send.
	packets, left int
	// kinds are the types of the columns of a result. described counts those that are known.
	kinds     []byte
	described int
	prepared  bool
	err       error
}

// newGuard begins with the greeting, which was read.
func newGuard(conn net.Conn, g greeting, hidden byte) *guard {
	first := g.packet()
	return &guard{
		Conn: conn, in: bufio.NewReader(conn), ready: first, plugin: g.plugin, hidden: hidden, secure: hidden > 0,
		packets: mostPackets, left: mostAtLogin,
	}
}

// allow lets the server send so many rows, and say of so many parameters what they are.
func (g *guard) allow(rows, parameters int) {
	g.packets = mostPackets + rows + parameters
	g.left = mostOfReply + rows*mostOfRow + parameters*mostOfParameter
}

// Read is net.Conn's. It has the rest of a packet.
func (g *guard) Read(b []byte) (int, error) {
	if len(g.ready) == 0 {
		if g.err == nil {
			g.ready, g.err = g.packet()
		}
		if g.err != nil {
			return 0, g.err
		}
	}
	n := copy(b, g.ready)
	g.ready = g.ready[n:]
	return n, nil
}

// packet reads the next packet, and checks it.
func (g *guard) packet() ([]byte, error) {
	head, err := g.in.Peek(headLength)
	if err != nil {
		return nil, atEnd(err, len(head))
	}
	length := lengthOf(head)
	g.packets--
	g.left -= headLength + length
	switch {
	case length == 0, g.expect == nil:
		return nil, errOdd
	case length > longestPacket, g.packets < 0, g.left < 0:
		return nil, errTooMuch
	}
	packet := make([]byte, headLength+length)
	if _, err := io.ReadFull(g.in, packet); err != nil {
		return nil, err
	}
	body := packet[headLength:]
	// A server that gives up says so out of turn.
	if number := packet[3]; number != g.next && !isError(body) {
		return nil, errOdd
	}
	g.next = packet[3] + 1
	packet[3] -= g.hidden
	return packet, g.expect(body)
}

// atEnd says that a packet is not whole where a part of it is there.
func atEnd(err error, have int) error {
	if errors.Is(err, io.EOF) && have > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Write is net.Conn's. The library writes whole packets, and each but those of the login begins something new.
func (g *guard) Write(b []byte) (int, error) {
	if len(b) < headLength || len(b) == headLength && b[3] == 0 {
		return 0, errOdd
	}
	if b[3] > 0 {
		g.next = b[3] + g.hidden + 1
		return g.login(b)
	}
	g.next, g.hidden = 1, 0
	switch command := b[headLength]; command {
	case commandPrepare:
		g.expect = g.prepareBegins
	case commandQuery, commandExecute:
		g.prepared = command == commandExecute
		g.expect = g.resultBegins
	default:
		g.expect = nil
	}
	return g.send(b)
}

// Commands.
const (
	commandQuery   = 3
	commandPrepare = 22
	commandExecute = 23
)

func (g *guard) send(b []byte) (int, error) {
	n, err := g.Conn.Write(b)
	if err != nil && g.err == nil {
		g.err = err
	}
	return n, err
}

// login sends a packet of the login. Where TLS was asked for, the server counts that packet, and wants to hear of TLS again.
func (g *guard) login(b []byte) (int, error) {
	if g.expect == nil {
		g.expect = g.loginGoesOn
	}
	if g.hidden == 0 {
		return g.send(b)
	}
	changed := bytes.Clone(b)
	if changed[3] == 1 && len(b) > headLength+4 {
		binary.LittleEndian.PutUint32(changed[headLength:], binary.LittleEndian.Uint32(b[headLength:])|canTLS)
	}
	changed[3] += g.hidden
	return g.send(changed)
}

// loginGoesOn takes a packet between the greeting and the end of the login.
func (g *guard) loginGoesOn(packet []byte) error {
	switch {
	case isError(packet):
		return nil
	case packet[0] == first0K && isOK(packet):
		g.expect = nil
		return nil
	case packet[0] == firstEOF:
		return g.switches(packet)
	case packet[0] == firstMore && g.plugin == pluginSHA2:
		return g.more(packet[1:])
	}
	return errOdd
}

// switches takes the wish for another plugin. A server may have it once.
func (g *guard) switches(packet []byte) error {
	name, salt, found := bytes.Cut(packet[1:], []byte{0})
	if !found {
		return errPlugin{"mysql_old_password"}
	}
	salt = bytes.TrimSuffix(salt, []byte{0})
	g.plugin = string(name)
	g.expect = g.loginEnds
	switch length := len(salt); {
	case g.plugin == pluginNative && length == 20, g.plugin == pluginSHA2 && length == 20, g.plugin == pluginEd && length == 32,
		g.plugin == pluginClear && g.secure:
		return nil
	case g.plugin == pluginNative || g.plugin == pluginSHA2 || g.plugin == pluginEd:
		return errOdd
	}
	return errPlugin{g.plugin}
}

// loginEnds is loginGoesOn for a server that has had its wish.
func (g *guard) loginEnds(packet []byte) error {
	if packet[0] == firstEOF {
		return errOdd
	}
	return g.loginGoesOn(packet)
}

// more takes what a server says about a password that it has not seen since it started: it knows it (3), or wants it whole
// (4), over TLS, or encrypted with a key of its own.
func (g *guard) more(said []byte) error {
	switch {
	case len(said) == 1 && said[0] == 3, len(said) == 1 && said[0] == 4 && g.secure:
		g.expect = g.verdict
		return nil
	case len(said) == 1 && said[0] == 4:
		g.expect = g.key
		return nil
	}
	return errOdd
}

func (g *guard) key(packet []byte) error {
	switch {
	case isError(packet):
		return nil
	case packet[0] != firstMore || !isPublicKey(packet[1:]):
		return errOdd
	}
	g.expect = g.verdict
	return nil
}

// verdict takes yes or no.
func (g *guard) verdict(packet []byte) error {
	if isError(packet) || packet[0] == first0K && isOK(packet) {
		g.expect = nil
		return nil
	}
	return errOdd
}

// prepareBegins takes what is said of a statement: how many parameters and columns it has, which are described then.
func (g *guard) prepareBegins(packet []byte) error {
	if isError(packet) {
		g.expect = nil
		return nil
	}
	const length = 12
	if len(packet) != length || packet[0] != first0K {
		return errOdd
	}
	columns, parameters := int(binary.LittleEndian.Uint16(packet[5:])), int(binary.LittleEndian.Uint16(packet[7:]))
	if columns > mostColumns {
		return errTooMuch
	}
	g.expect = g.descriptions(parameters, g.descriptions(columns, nil))
	return nil
}

// descriptions takes so many descriptions and the packet that ends them. None has no such packet.
func (g *guard) descriptions(n int, then func([]byte) error) func([]byte) error {
	if n == 0 {
		return then
	}
	return func(packet []byte) error {
		if n > 0 {
			n--
			if _, ok := column(packet); !ok {
				return errOdd
			}
			return nil
		}
		g.expect = then
		if !isEOF(packet) {
			return errOdd
		}
		return nil
	}
}

// resultBegins takes the first packet of an answer: success, an error, or how many columns there are.
func (g *guard) resultBegins(packet []byte) error {
	g.expect = nil
	switch {
	case isError(packet), packet[0] == first0K && isOK(packet):
		return nil
	case packet[0] == firstFile:
		return errFile
	}
	w := &words{rest: packet}
	n, null := w.number()
	switch {
	case null || n == 0 || !w.whole():
		return errOdd
	case n > mostColumns:
		return errTooMuch
	}
	g.kinds, g.described = make([]byte, n), 0
	g.expect = g.columnOfResult
	return nil
}

func (g *guard) columnOfResult(packet []byte) error {
	if g.described == len(g.kinds) {
		g.expect = g.row
		if !isEOF(packet) {
			return errOdd
		}
		return nil
	}
	kind, ok := column(packet)
	switch {
	case !ok:
		return errOdd
	case g.prepared && isTime(kind):
		return errTimes
	case g.prepared && !isKnown(kind):
		return errOdd
	}
	g.kinds[g.described] = kind
	g.described++
	return nil
}

// row takes a row, or the end of them.
func (g *guard) row(packet []byte) error {
	switch {
	case isError(packet), isEOF(packet):
		g.expect = nil
		return nil
	case g.prepared && isRow(packet, g.kinds), !g.prepared && packet[0] != firstEOF && isTextRow(packet, len(g.kinds)):
		return nil
	}
	return errOdd
}
