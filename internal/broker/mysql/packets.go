package mysql

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
)

// words reads the parts of a packet one after the other. Once one is missing, all that follow are.
// https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html
type words struct {
	rest []byte
	bad  bool
}

// take has the next bytes.
func (w *words) take(n uint64) []byte {
	if w.bad || n > uint64(len(w.rest)) {
		w.bad = true
		return nil
	}
	taken := w.rest[:n]
	w.rest = w.rest[n:]
	return taken
}

// number is one that says how long it is. NULL is none.
func (w *words) number() (n uint64, null bool) {
	first := w.take(1)
	if w.bad {
		return 0, false
	}
	length := uint64(0)
	switch first[0] {
	case 0xfb:
		return 0, true
	case 0xfc:
		length = 2
	case 0xfd:
		length = 3
	case 0xfe:
		length = 8
	case 0xff:
		w.bad = true
		return 0, false
	default:
		return uint64(first[0]), false
	}
	var wide [8]byte
	copy(wide[:], w.take(length))
	return binary.LittleEndian.Uint64(wide[:]), false
}

// text is one behind its length, or NULL.
func (w *words) text() {
	n, null := w.number()
	if !null {
		w.take(n)
	}
}

// whole reports whether all was there, and nothing is left.
func (w *words) whole() bool { return !w.bad && len(w.rest) == 0 }

// The first bytes of packets.
const (
	first0K    = 0x00
	firstMore  = 0x01
	firstFile  = 0xfb
	firstEOF   = 0xfe
	firstError = 0xff
)

// moreResults is the status of a server that has another result to send, which nobody has asked for.
const moreResults = 0x0008

// isOK reports whether a packet is one of success, with nothing to follow.
func isOK(packet []byte) bool {
	w := &words{rest: packet}
	w.take(1)
	w.number()
	w.number()
	status := w.take(2)
	w.take(2)
	return !w.bad && binary.LittleEndian.Uint16(status)&moreResults == 0
}

// isEOF reports whether a packet ends columns or rows, with nothing to follow.
func isEOF(packet []byte) bool {
	return len(packet) == 5 && packet[0] == firstEOF && binary.LittleEndian.Uint16(packet[3:])&moreResults == 0
}

// isError reports whether a packet is an error: its number, a state of five characters or none, and words.
func isError(packet []byte) bool {
	return len(packet) >= 4 && packet[0] == firstError && (packet[3] != '#' || len(packet) >= 9)
}

// column reads the type of a column from its description.
func column(packet []byte) (kind byte, ok bool) {
	w := &words{rest: packet}
	for range 6 { // the catalogue, the schema, the table twice, the name twice
		if n, null := w.number(); !null {
			w.take(n)
		}
	}
	const charset, length, flags, decimals, filler = 2, 4, 2, 1, 2
	rest := w.take(1 + charset + length + 1 + flags + decimals + filler)
	if !w.whole() || rest[0] != 12 {
		return 0, false
	}
	return rest[1+charset+length], true
}

// Types of columns whose values have one length.
var lengths = map[byte]uint64{1: 1, 2: 2, 13: 2, 9: 4, 3: 4, 8: 8, 4: 4, 5: 8}

// isTime reports whether a type is one of dates and times.
func isTime(kind byte) bool { return kind == 7 || kind >= 10 && kind <= 12 || kind == 14 }

// isText reports whether a value of this type stands behind its length.
func isText(kind byte) bool {
	return kind == 0 || kind == 15 || kind == 16 || kind == 242 || kind >= 245
}

// isTextRow reports whether a packet is a row of texts.
func isTextRow(packet []byte, columns int) bool {
	w := &words{rest: packet}
	for range columns {
		w.text()
	}
	return w.whole()
}

// isRow reports whether a packet is a row of a prepared statement, with values of these types.
func isRow(packet []byte, kinds []byte) bool {
	w := &words{rest: packet}
	head := w.take(1)
	const reserved = 2 // bits before those of the columns
	nulls := w.take(uint64(len(kinds)+7+reserved) / 8)
	if w.bad || head[0] != first0K {
		return false
	}
	for i, kind := range kinds {
		bit := i + reserved
		if null := nulls[bit/8]&(1<<(bit%8)) != 0; null || kind == typeNull {
			continue
		}
		if length, fixed := lengths[kind]; fixed {
			w.take(length)
		} else {
			w.text()
		}
	}
	return w.whole()
}

// typeNull is the type of a column that is NULL in all rows.
const typeNull = 6

// isKnown reports whether values of a type can be read from a row of a prepared statement.
func isKnown(kind byte) bool {
	_, fixed := lengths[kind]
	return fixed || kind == typeNull || isText(kind)
}

// mostOfKey is how many bits a server's key may have: more would be work for nothing.
const mostOfKey = 8192

// isPublicKey reports whether a packet has a key with which a password can be encrypted.
func isPublicKey(text []byte) bool {
	block, _ := pem.Decode(text)
	if block == nil {
		return false
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return false
	}
	public, ok := key.(*rsa.PublicKey)
	return ok && public.N.BitLen() <= mostOfKey
}
