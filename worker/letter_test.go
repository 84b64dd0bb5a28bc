package worker

import (
	"errors"
	"maps"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/quickube/qscaler/worker/internal/store"
	"github.com/quickube/qscaler/worker/redislist"
)

// Whatever a task is, its letter has all of it.
func FuzzLetterAndBack(f *testing.F) {
	f.Add("t-1", "payload", "tenant", "acme", "the printer is on fire", 3)
	f.Add("t-2", "\xff\x00 no text", "", "", "<a> & \"b\"\n\u2028", 1)
	f.Add("t-3", "\xef\xbf\xbd", "k", "\u00fc", "", 0)
	f.Fuzz(func(t *testing.T, id, payload, header, value, message string, attempts int) {
		for _, text := range []string{header, value, message} {
			if !utf8.ValidString(text) {
				t.Skip("a header cannot have it, and an error should not")
			}
		}
		if redislist.CheckID(id) != nil || store.IsOwnHeader(header) {
			t.Skip("it is no task of a producer's")
		}
		task := redislist.Task{ID: id, Payload: payload, First: time.UnixMilli(0).UTC()}
		if header != "" {
			task.Headers = map[string]string{header: value}
		}
		letter := letterOf(&held{Item: store.Parsed(task.Element())}, attempts, errors.New(message), time.Now())
		if letter.Field != "" {
			t.Skip("the payload is not in it")
		}
		raw := letter.Line
		d, err := ParseDeadLetter(raw)
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		if d.ID != id || string(d.Payload) != payload || !maps.Equal(d.Headers, task.Headers) || d.Error != message || d.Attempts != attempts || !d.First.Equal(task.First) {
			t.Errorf("%+v with error %q became %q, which is %+v", task, message, raw, d)
		}
	})
}

// Whatever stands in the list of dead letters, what is replayed of it is a task that was never tried, with its
// identifier, headers and payload.
func FuzzReplay(f *testing.F) {
	f.Add(`{"id":"t-1","error":"no","attempts":3,"first":"2026-01-01T00:00:00Z","died":"2026-01-02T00:00:00Z","headers":{"k":"v"},"payload":"p"}`)
	f.Add(`{"id":"t-2","payloadBase64":"/wA="}`)
	f.Add(`{"id":"t-3","first":"0001-01-01T00:00:00Z","payload":"qscaler:1:x:0:0:0::0:"}`)
	f.Add(`{"id":"t-4","headers":{"":"\ud800","k":""}}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, raw string) {
		d, err := ParseDeadLetter(raw)
		if err != nil || redislist.CheckID(d.ID) != nil {
			t.Skip("it is not replayed")
		}
		got := redislist.Parse(d.envelope() + string(d.Payload))
		if got.ID != d.ID || got.Payload != string(d.Payload) || !maps.Equal(got.Headers, d.Headers) || got.Attempt() != 1 || got.Reservation != "" {
			t.Errorf("%q is replayed as %+v", raw, got)
		}
	})
}
