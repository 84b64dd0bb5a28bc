package worker

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/quickube/qscaler/worker/internal/store"
	"github.com/quickube/qscaler/worker/redislist"
)

// DeadLetter is a task that was given up. For any other line of the list, ID is empty, Payload is the line, and Error
// says what is wrong with it: it can be dropped, and not replayed.
type DeadLetter struct {
	ID       string
	Payload  []byte
	Headers  map[string]string
	Attempts int
	// Error is that of the last attempt.
	Error string
	// PayloadField is the field of the hash {queue}:dead:payloads with the payload, where the line would be longer
	// than 512 KiB. Otherwise it is empty, and the line has the payload. Client.DeadLetters reads that field;
	// ParseDeadLetter cannot, and leaves Payload empty.
	PayloadField string
	// First is when the task was enqueued by a Client, or else first reserved; Died when it was given up.
	First, Died time.Time

	raw string // the element of the list
}

// letter is a dead letter as it is in Redis, one line of JSON that a person can read.
type letter struct {
	ID       string            `json:"id"`
	Error    string            `json:"error"`
	Attempts int               `json:"attempts"`
	First    time.Time         `json:"first"`
	Died     time.Time         `json:"died"`
	Headers  map[string]string `json:"headers,omitempty"`
	// Payload is the payload where it is valid UTF-8; Base64 has it otherwise.
	Payload string `json:"payload"`
	Base64  string `json:"payloadBase64,omitempty"`
	// Field is the name of the field that has it instead.
	Field string `json:"payloadField,omitempty"`
}

// longLine is the length of a line, in bytes, from which on the payload is kept apart. People read the list, and a
// step has to carry the line beside the element.
const longLine = store.StepBytes / 2

// letterOf is the dead letter of a task. An error whose Error method panics is written too: fmt handles that.
func letterOf(t *held, attempts int, err error, died time.Time) store.Letter {
	l := letter{
		ID: t.ID, Error: fmt.Sprint(err), Attempts: attempts, First: t.First, Died: died.UTC().Truncate(time.Millisecond),
		Headers: headersOf(t.Item),
	}
	if !t.Long() {
		whole := l
		if whole.Payload = t.Payload; !utf8.ValidString(t.Payload) {
			whole.Payload, whole.Base64 = "", base64.StdEncoding.EncodeToString([]byte(t.Payload))
		}
		if line := lineOf(whole); len(line) <= longLine {
			return store.Letter{Line: line}
		}
	}
	l.Field = t.Reservation // unique
	return store.Letter{Line: lineOf(l), Field: l.Field}
}

func lineOf(l letter) string {
	var line strings.Builder
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)  // a person reads it, and may paste the payload
	if encoder.Encode(l) != nil { // a time that JSON cannot have
		l.First, l.Died = time.Time{}, time.Time{}
		_ = encoder.Encode(l)
	}
	return strings.TrimSuffix(line.String(), "\n")
}

// envelope is that of the letter's task, as if it was never tried.
func (d DeadLetter) envelope() string {
	return redislist.Task{ID: d.ID, First: d.First, Headers: d.Headers}.Element()
}

// unreadable is the dead letter for a line that is none.
func unreadable(raw string, err error) DeadLetter {
	return DeadLetter{Error: fmt.Sprintf("the line cannot be read: %v", err), Payload: []byte(raw), raw: raw}
}

// ParseDeadLetter reads a dead letter as it is in Redis.
func ParseDeadLetter(raw string) (DeadLetter, error) {
	var l letter
	if err := json.Unmarshal([]byte(raw), &l); err != nil {
		return DeadLetter{}, fmt.Errorf("decoding a dead letter, %w", err)
	}
	d := DeadLetter{
		ID: l.ID, Payload: []byte(l.Payload), Headers: l.Headers, Attempts: l.Attempts,
		Error: l.Error, First: l.First, Died: l.Died, PayloadField: l.Field, raw: raw,
	}
	if l.Field != "" {
		d.Payload = nil // not empty: unknown
	}
	maps.DeleteFunc(d.Headers, func(name, _ string) bool { return store.IsOwnHeader(name) })
	if l.Base64 != "" {
		payload, err := base64.StdEncoding.DecodeString(l.Base64)
		if err != nil {
			return DeadLetter{}, fmt.Errorf("decoding the payload of dead letter %s, %w", l.ID, err)
		}
		d.Payload = payload
	}
	return d, nil
}
