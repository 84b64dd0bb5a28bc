package redislist

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Task is what an element of a list says. An element that was pushed as it is, by LPUSH from anywhere, is a
// payload and nothing else. The SDK's elements carry an envelope before the payload:
//
//	qscaler:1:<id>:<failed>:<lost>:<first>:<reservation>:<length of headers>:<headers><payload>
type Task struct {
	// ID tells the task from every other, also from one with the same payload. Letters, digits and ._-, at
	// most MaxID of them.
	ID string
	// Failed counts the attempts that ended with an error.
	Failed int
	// Lost counts the attempts of which nobody knows the end: their worker was killed.
	Lost int
	// First is when a worker or a producer of the SDK first had the task, by Redis' clock, in whole
	// milliseconds.
	First time.Time
	// Reservation names the attempt that the task is reserved for; it is empty while the task waits. It makes
	// the element unique, so that an acknowledgement that is sent twice never removes another task.
	Reservation string
	// Headers are the producer's.
	Headers map[string]string
	Payload string
}

// Attempt is the number of the present attempt, 1 for the first.
func (t Task) Attempt() int { return t.Failed + t.Lost + 1 }

// MaxID is the greatest length of a task's identifier, in bytes.
const MaxID = 128

const envelopePrefix = "qscaler:1:"

var (
	envelope = regexp.MustCompile(`^qscaler:1:([A-Za-z0-9._-]{1,128}):([0-9]{1,9}):([0-9]{1,9}):([0-9]{1,15}):([A-Za-z0-9._-]*):([0-9]{1,9}):`)
	id       = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
)

// ErrInvalidID is the answer to an identifier that an envelope cannot have.
var ErrInvalidID = errors.New("a task's identifier must have 1 to 128 of A-Z a-z 0-9 . _ -")

// CheckID reports whether an identifier can stand in an envelope.
func CheckID(s string) error {
	if !id.MatchString(s) {
		return fmt.Errorf("%w; it is %q", ErrInvalidID, s)
	}
	return nil
}

// Parse reads an element. What is no envelope is a payload.
func Parse(element string) Task {
	if !strings.HasPrefix(element, envelopePrefix) {
		return Task{Payload: element}
	}
	m := envelope.FindStringSubmatch(element)
	if m == nil {
		return Task{Payload: element}
	}
	rest := element[len(m[0]):]
	length, err := strconv.Atoi(m[6])
	if err != nil || length > len(rest) { // as the scripts have it, to the letter
		return Task{Payload: element}
	}
	t := Task{ID: m[1], Reservation: m[5], Payload: rest[length:]}
	if length > 0 && json.Unmarshal([]byte(rest[:length]), &t.Headers) != nil {
		t.Headers = nil // whoever wrote them, the payload is whole
	}
	// The expression has made sure that these are numbers that fit.
	t.Failed, _ = strconv.Atoi(m[2])
	t.Lost, _ = strconv.Atoi(m[3])
	first, _ := strconv.ParseInt(m[4], 10, 64)
	t.First = time.UnixMilli(first).UTC()
	return t
}

// Element is the inverse of Parse for a task that has an identifier.
func (t Task) Element() string {
	before, after := t.AroundFirst()
	return before + strconv.FormatInt(max(t.First.UnixMilli(), 0), 10) + after
}

// AroundFirst is the element before and after First, which a script sets by Redis' clock.
func (t Task) AroundFirst() (before, after string) {
	headers := ""
	if len(t.Headers) > 0 {
		data, _ := json.Marshal(t.Headers) // of strings only: it cannot fail
		headers = string(data)
	}
	before = envelopePrefix + t.ID + ":" + strconv.Itoa(t.Failed) + ":" + strconv.Itoa(t.Lost) + ":"
	after = ":" + t.Reservation + ":" + strconv.Itoa(len(headers)) + ":" + headers + t.Payload
	return before, after
}
