package redis

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// replies lets through what Redis sends to this driver, in the protocol's versions 2 and 3: less than the library reads,
// and nothing that it reads otherwise. What is let through has gone through whole lines: no line end is missing and no
// number is odd.
type replies struct {
	owed *debts
	// passed is for the library, and has not been taken yet.
	passed []byte
	// line is the beginning of a line whose end has not come yet.
	line []byte
	// skip counts the bytes of a string that have not come yet, and end those of the line end after it.
	skip, end int
	// reply is the present one, nil between two; aside is a push that came in the middle of it, and later has what is to
	// follow the reply.
	reply, aside *value
	later        []byte
	// outer and inner are what those two point to.
	outer, inner value
}

// value is a reply or a push that is not complete.
type value struct {
	left bounds
	// open has, for each array that is not complete, how many elements are still to come.
	open []int
	// naming is true in a push until its first element has come, which says of what it is; what has that one.
	naming bool
	what   []byte
	push   bool
}

// anew makes a value of one that is complete: there is one for each number that is read.
func (v *value) anew(push bool) *value {
	*v = value{push: push, naming: push, open: v.open[:0], what: v.what[:0]}
	return v
}

// deepest is how deep arrays are nested.
const deepest = 8

var (
	errTooLong = errors.New("the server sent a reply that is too long; is it Redis?")
	errLineEnd = errors.New("the server sent a line that ends in another way; is it Redis?")
	errNumber  = errors.New("the server sent a number or a length that cannot be; is it Redis?")
)

// mostKept is how much room a connection keeps that nothing comes over.
const mostKept = 4 << 10

// take moves what has passed into p.
func (r *replies) take(p []byte) int {
	n := copy(p, r.passed)
	if r.passed = r.passed[:copy(r.passed, r.passed[n:])]; len(r.passed) == 0 && cap(r.passed) > mostKept {
		r.passed = nil
	}
	return n
}

func (r *replies) pass(p []byte) error {
	for len(p) > 0 {
		var err error
		switch {
		case r.skip > 0:
			n := min(r.skip, len(p))
			r.emit(p[:n])
			r.skip -= n
			p = p[n:]
		case r.end > 0:
			const lineEnd = "\r\n"
			if p[0] != lineEnd[len(lineEnd)-r.end] {
				return errLineEnd
			}
			r.emit(p[:1])
			p = p[1:]
			if r.end--; r.end == 0 {
				err = r.complete()
			}
		default:
			p, err = r.passLine(p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// present is the value that what comes belongs to.
func (r *replies) present() *value {
	if r.aside != nil {
		return r.aside
	}
	return r.reply
}

// emit lets something through that belongs to the present value.
func (r *replies) emit(p []byte) {
	if v := r.present(); v.naming && r.skip > 0 {
		v.what = append(v.what, p...)
	}
	if r.aside != nil {
		r.later = append(r.later, p...)
		return
	}
	r.passed = append(r.passed, p...)
}

func (r *replies) passLine(p []byte) (rest []byte, err error) {
	line, rest, found := bytes.Cut(p, []byte("\n"))
	if len(r.line)+len(line) > longestLine {
		return nil, fmt.Errorf("the server sent a line of more than %d bytes; is it Redis?", longestLine)
	}
	r.line = append(r.line, line...)
	if !found {
		return nil, nil
	}
	text, ok := bytes.CutSuffix(r.line, []byte("\r"))
	if !ok || len(text) == 0 || bytes.IndexByte(text, '\r') >= 0 {
		return nil, errLineEnd
	}
	err = r.header(text)
	r.line = r.line[:0]
	return rest, err
}

// header is the line that a value, or an element of one, begins with.
func (r *replies) header(line []byte) error {
	kind, text := line[0], line[1:]
	if err := r.begin(kind); err != nil {
		return err
	}
	v := r.present()
	if v.left.bytes -= len(line) + len("\r\n"); v.left.bytes < 0 {
		return errTooLong
	}
	length, err := v.header(kind, text)
	if err != nil {
		return err
	}
	r.emit(line)
	r.emit([]byte("\r\n"))
	switch {
	case isString(kind) && length >= 0:
		r.skip, r.end = length, len("\r\n")
		return nil
	case length > 0:
		return nil
	}
	return r.complete()
}

// begin begins a value where none is, or a push where it may be.
func (r *replies) begin(kind byte) error {
	var err error
	switch {
	case r.reply == nil && kind != '>':
		r.reply = r.outer.anew(false)
		r.reply.left, err = r.owed.settle()
	case r.reply == nil:
		r.reply = r.outer.anew(true)
		r.reply.left, err = r.owed.push()
	case kind == '>' && (r.reply.push || r.aside != nil):
		return errors.New("the server sent a push within a push; is it Redis?")
	case kind == '>': // Redis 6 puts one between the elements of a reply (redis/redis#8935), where it is none of them
		if len(r.later) > ofPush.bytes {
			return errTooLong
		}
		r.aside = r.inner.anew(true)
		r.aside.left, err = r.owed.push()
	default:
		return nil
	}
	if err == nil {
		r.present().left.values--
	}
	return err
}

// header takes in the line that an element begins with, and returns how many bytes, or elements, it announces; 0 for
// none, and -1 for a value that is not there.
func (v *value) header(kind byte, text []byte) (length int, err error) {
	if v.naming && len(v.open) == 1 {
		if kind != '$' && kind != '+' {
			return 0, errors.New("the server sent a push that does not say of what it is; is it Redis?")
		}
		if kind == '+' {
			v.what = append(v.what, text...)
		}
	}
	switch kind {
	case '+', '-':
		return 0, nil
	case ':':
		_, err := number(text)
		return 0, err
	case '_':
		if len(text) > 0 {
			return 0, errLineEnd
		}
		return 0, nil
	case '$', '=', '*', '%', '>':
		return v.announce(kind, text)
	}
	return 0, fmt.Errorf("the server sent a line that begins with %q; is it Redis?", kind)
}

// isString reports whether a value has a length in bytes: a string, or one that is to be shown as it is, as of INFO.
func isString(kind byte) bool { return kind == '$' || kind == '=' }

// announce takes in a length: what it announces must be within the bounds before any of it comes, because the library
// makes room for it.
func (v *value) announce(kind byte, text []byte) (length int, err error) {
	n, err := number(text)
	switch {
	case err != nil:
		return 0, err
	case n == -1 && (kind == '$' || kind == '*'):
		return -1, nil
	case n < 0, n == 0 && kind == '>':
		return 0, errNumber
	case n > int64(v.left.bytes):
		return 0, errTooLong
	}
	length = int(n)
	if isString(kind) {
		v.left.bytes -= length + len("\r\n")
		return length, nil
	}
	if kind == '%' {
		length *= 2
	}
	if v.left.values -= length; v.left.values < 0 {
		return 0, errTooLong
	}
	if length > 0 {
		v.open = append(v.open, length)
	}
	if len(v.open) > deepest {
		return 0, errors.New("the server sent a reply that is nested too deeply; is it Redis?")
	}
	return length, nil
}

// number reads one as the library does: in digits, with nothing before them but a minus.
func number(text []byte) (int64, error) {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || text[0] == '+' {
		return 0, errNumber
	}
	return n, nil
}

// complete is called at the end of each element, and ends the arrays that are complete with it, and the value.
func (r *replies) complete() error {
	v := r.present()
	// The library takes the confirmation of a subscription for a reply. There are no subscriptions.
	if v.naming && bytes.HasSuffix(v.what, []byte("subscribe")) {
		return errUnasked
	}
	v.naming = false
	for last := len(v.open) - 1; last >= 0; last-- {
		if v.open[last]--; v.open[last] > 0 {
			return nil
		}
		v.open = v.open[:last]
	}
	if r.aside != nil {
		r.aside = nil
		return nil
	}
	r.reply = nil
	r.passed = append(r.passed, r.later...)
	r.later = nil
	return nil
}
