package redislist

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Task is what an element of a list says. An element that was pushed as it is, by LPUSH from anywhere, is a
// payload and nothing else. The SDK's elements carry an envelope before the payload:
//
//	qscaler:1:<id>:<failed>:<crashed>:<first>:<reservation>:<length of headers>:<headers><payload>
type Task struct {
	// ID tells the task from every other, also from one with the same payload. Letters, digits and ._-, at
	// most MaxID of them.
	ID string
	// Failed counts the attempts that ended with an error.
	Failed int
	// Crashed counts the attempts of which nobody knows the end: their worker was killed.
	Crashed int
	// First is when a worker or a producer of the SDK first had the task, by Redis' clock, in whole
	// milliseconds; not after the year 9999.
	First time.Time
	// Reservation names the attempt that the task is reserved for; it is empty while the task waits. It makes
	// the element unique, so that an acknowledgement that is sent twice never removes another task.
	Reservation string
	// Headers are the producer's.
	Headers map[string]string
	Payload string
}

// Attempt is the number of the present attempt, 1 for the first.
func (t Task) Attempt() int { return t.Failed + t.Crashed + 1 }

// A reservation whose worker has ended is counted as a crashed attempt, unless its first character says that it was
// no attempt, or that nobody knows. Neither makes a reservation invalid for a worker that does not know of them.
const (
	// Ahead is the first character of a reservation that was made together with more than could be begun. Most of
	// them were never begun when their worker ends, or done already: none is counted. The next reservation
	// has its task alone, and is Unbegun.
	Ahead = "_"
	// Unbegun is the first character of the reservation of a task that may have ended a worker. Before it
	// begins it gets another, without the mark: only if that is left is the attempt counted.
	Unbegun = "-"
)

// Unbegun reports whether the task has to be told from those that were begun, before it is.
func (t Task) Unbegun() bool { return strings.HasPrefix(t.Reservation, Unbegun) }

// MaxHeaders is the greatest length of a task's headers as JSON, in bytes: what is known of a task is to be known
// without its payload.
const MaxHeaders = 64 << 10

// MaxID is the greatest length of a task's identifier, in bytes.
const MaxID = 128

// latest is the greatest First, the end of the year 9999: what is later has no RFC 3339 and no JSON, and a dead
// letter could not be written.
const latest = 253402300799999

// most is the greatest Failed and Crashed: an envelope has nine digits for each.
const most = 999_999_999

const envelopePrefix = "qscaler:1:"

// ErrInvalidID is the answer to an identifier that an envelope cannot have.
var ErrInvalidID = errors.New("a task's identifier must have 1 to 128 of A-Z a-z 0-9 . _ -")

// CheckID reports whether an identifier can stand in an envelope.
func CheckID(s string) error {
	if !isID(s) || len(s) > MaxID || s == "" {
		return fmt.Errorf("%w; it is %q", ErrInvalidID, s)
	}
	return nil
}

// CheckHeaders reports whether headers can stand in an envelope.
func CheckHeaders(headers map[string]string) error {
	if n := len(headersText(headers)); n > MaxHeaders {
		return fmt.Errorf("the headers are %d bytes long as JSON, and must be %d at most; put what is longer into the payload", n, MaxHeaders)
	}
	return nil
}

// Parse reads an element. What is no envelope is a payload. The scripts have the same grammar, to the letter.
func Parse(element string) Task { return ParseBeginning(element, len(element)) }

// ParseBeginning reads an element of which there is only the beginning, and that has so many bytes. The payload is what
// there is of it, and headers that are not all there are none.
func ParseBeginning(element string, size int) Task {
	rest, ok := strings.CutPrefix(element, envelopePrefix)
	if !ok {
		return Task{Payload: element}
	}
	var (
		fields  [6]string // id, failed, crashed, first, reservation, length of headers
		longest = [6]int{MaxID, 9, 9, 15, len(rest), 9}
	)
	for i := range fields {
		if fields[i], rest, ok = strings.Cut(rest, ":"); !ok || len(fields[i]) > longest[i] {
			return Task{Payload: element}
		}
	}
	failed, ok1 := number(fields[1])
	crashed, ok2 := number(fields[2])
	first, ok3 := number(fields[3])
	length, ok4 := number(fields[5])
	good := ok1 && ok2 && ok3 && ok4 && fields[0] != "" && isID(fields[0]) && isID(fields[4])
	missing := int64(size - len(element))
	if !good || length > int64(len(rest))+missing {
		return Task{Payload: element}
	}
	there := min(length, int64(len(rest)))
	t := Task{
		ID: fields[0], Failed: int(failed), Crashed: int(crashed), First: time.UnixMilli(min(first, latest)).UTC(),
		Reservation: fields[4], Payload: rest[there:],
	}
	if length > 0 && there == length {
		t.Headers = headers(rest[:length])
	}
	return t
}

// headers are none where they cannot be read: whoever wrote them, the payload is whole.
func headers(text string) (h map[string]string) {
	if json.Unmarshal([]byte(text), &h) != nil {
		return nil
	}
	return h
}

// isID reports whether all characters are those of an identifier.
func isID(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && !isDigit(c) && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// number reads one digit or more; a sign is none.
func number(s string) (n int64, ok bool) {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// Element is the inverse of Parse for a task that has an identifier.
func (t Task) Element() string {
	text := headersText(t.Headers)
	return t.Stamp() + strconv.Itoa(len(text)) + ":" + text + t.Payload
}

// Stamp is the beginning of the task's element, what changes with each reservation: all that is before the headers'
// length.
func (t Task) Stamp() string {
	before, after := t.aroundFirst()
	return before + strconv.FormatInt(min(max(t.First.UnixMilli(), 0), latest), 10) + after
}

// AroundFirst is the element before and after First, which a script sets by Redis' clock.
func (t Task) AroundFirst() (before, after string) {
	before, after = t.aroundFirst()
	text := headersText(t.Headers)
	return before, after + strconv.Itoa(len(text)) + ":" + text + t.Payload
}

func (t Task) aroundFirst() (before, after string) {
	return envelopePrefix + t.ID + ":" + strconv.Itoa(min(t.Failed, most)) + ":" + strconv.Itoa(min(t.Crashed, most)) + ":", ":" + t.Reservation + ":"
}

// headersText is the headers as they stand in an element.
func headersText(headers map[string]string) string {
	if len(headers) == 0 {
		return ""
	}
	data, _ := json.Marshal(headers) // of strings only: it cannot fail
	return string(data)
}

// stampFields is how many fields a stamp has after the prefix: id, failed, crashed, first and reservation.
const stampFields = 5

// Restamped is the element, or its beginning, with another stamp. It must have one.
func Restamped(element, stamp string) string {
	rest := element[len(envelopePrefix):]
	for range stampFields {
		_, rest, _ = strings.Cut(rest, ":")
	}
	return stamp + rest
}
