package mysql

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"
)

// What a server can do, and a client may say that it can do, too.
// https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html
const (
	canLongPassword = 0x1
	canLongFlag     = 0x4
	canNameDatabase = 0x8
	canProtocol41   = 0x200
	canTLS          = 0x800
	canTransactions = 0x2000
	canSecure       = 0x8000
	canPlugins      = 0x80000
	canAttributes   = 0x100000
	canLongAnswer   = 0x200000
)

const (
	// needed is what a server must do. All do since MySQL 5.6 and MariaDB 10.
	needed = canNameDatabase | canProtocol41 | canTransactions | canSecure | canPlugins | canLongAnswer
	// used is what the library is told that the server does. It is not told of local files, which a server could then ask
	// for, of compression, of more than one result, and of what only MariaDB has.
	used = needed | canLongPassword | canLongFlag | canAttributes
)

// The ways to show a password that the library takes here. It is shown as it is over TLS alone.
const (
	pluginNative = "mysql_native_password"
	pluginSHA2   = "caching_sha2_password"
	pluginEd     = "client_ed25519"
	pluginClear  = "mysql_clear_password"
)

var (
	errNoTLS  = errors.New("the server speaks no TLS")
	errSilent = errors.New("the server says nothing")
)

// greeting is what a server says first.
type greeting struct {
	// refusal is the packet of a server that has refused at once, and else nil.
	refusal []byte
	can     uint32
	// salt is 20 bytes, by which no answer to a greeting fits another one.
	salt   []byte
	plugin string
}

// hello reads what the server says first, and goes on by TLS where the configuration has that. It returns the connection
// that the guard reads, and how many packets were said that the library does not know of.
func hello(ctx context.Context, conn net.Conn, encryption *tls.Config) (net.Conn, greeting, byte, error) {
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	g, err := readGreeting(conn)
	if err != nil || g.refusal != nil || encryption == nil {
		return conn, g, 0, err
	}
	if g.can&canTLS == 0 {
		return conn, g, 0, errNoTLS
	}
	// The first half of a login, which asks for TLS. The whole login follows encrypted.
	const length, utf8mb4 = 32, 45
	ask := make([]byte, headLength+length)
	ask[0], ask[3] = length, 1
	binary.LittleEndian.PutUint32(ask[headLength:], used|canTLS)
	ask[headLength+8] = utf8mb4
	if _, err := conn.Write(ask); err != nil {
		return conn, g, 0, err
	}
	secure := tls.Client(conn, encryption)
	err = secure.HandshakeContext(ctx)
	return secure, g, 1, err
}

// longestGreeting is enough for the names of a version and of a plugin.
const longestGreeting = 1 << 10

// readGreeting reads one packet, and not one byte more: what follows may be encrypted.
func readGreeting(conn net.Conn) (g greeting, err error) {
	head := make([]byte, headLength)
	if n, err := io.ReadFull(conn, head); err != nil {
		if timeout := net.Error(nil); n == 0 && errors.As(err, &timeout) && timeout.Timeout() {
			return g, errors.Join(errSilent, err)
		}
		return g, err
	}
	length := lengthOf(head)
	if length == 0 || length > longestGreeting || head[3] != 0 {
		return g, errOdd
	}
	packet := make([]byte, length)
	if _, err := io.ReadFull(conn, packet); err != nil {
		return g, err
	}
	if isError(packet) {
		return greeting{refusal: append(head, packet...)}, nil
	}
	return parseGreeting(packet)
}

// parseGreeting reads the greeting of version 10 of the protocol.
func parseGreeting(packet []byte) (g greeting, err error) {
	const version, id, half, reserved, rest = 10, 4, 8, 10, 12
	w := &words{rest: packet}
	first := w.take(1)
	if end := bytes.IndexByte(w.rest, 0); end >= 0 {
		w.take(uint64(end + 1 + id))
	} else {
		w.bad = true
	}
	g.salt = append(g.salt, w.take(half)...)
	w.take(1)
	low := w.take(2)
	w.take(1 + 2) // its character set and its status
	high := w.take(2)
	w.take(1 + reserved)
	g.salt = append(g.salt, w.take(rest)...)
	w.take(1)
	if w.bad || first[0] != version {
		return g, errOdd
	}
	g.can = uint32(binary.LittleEndian.Uint16(low)) | uint32(binary.LittleEndian.Uint16(high))<<16
	if g.can&needed != needed {
		return g, errOdd
	}
	plugin, _, _ := bytes.Cut(w.rest, []byte{0})
	g.plugin = string(plugin)
	return g, nil
}

// packet is what the library is told in place of the greeting. Where the server would begin with a plugin that is not taken,
// it asks for another one if the user has that.
func (g *greeting) packet() []byte {
	if g.refusal != nil {
		return g.refusal
	}
	if g.plugin != pluginSHA2 {
		g.plugin = pluginNative
	}
	can := g.can & used
	packet := []byte{0, 0, 0, 0, 10, '8', 0, 0, 0, 0, 0}
	packet = append(append(packet, g.salt[:8]...), 0)
	packet = binary.LittleEndian.AppendUint16(packet, uint16(can))
	packet = append(packet, 45, 2, 0)
	packet = binary.LittleEndian.AppendUint16(packet, uint16(can>>16))
	packet = append(packet, byte(len(g.salt)+1), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	packet = append(append(packet, g.salt[8:]...), 0)
	packet = append(append(packet, g.plugin...), 0)
	packet[0] = byte(len(packet) - headLength)
	return packet
}
