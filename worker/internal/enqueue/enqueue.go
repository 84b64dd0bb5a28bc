// Package enqueue is how a task is enqueued: what the options of worker.Client say, for it and for the broker in
// memory.
package enqueue

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"time"
	"unicode/utf8"

	"github.com/quickube/qscaler/worker/internal/store"
	"github.com/quickube/qscaler/worker/redislist"
)

// Options are what a task has beside its payload.
type Options struct {
	ID string
	// HasUnique is true where there is a uniqueness key, also an empty one, which is a mistake.
	HasUnique bool
	Unique    string
	// nonce makes the value of the uniqueness key unique in the queue.
	nonce     string
	Headers   map[string]string
	Delay     time.Duration
	UniqueFor time.Duration
}

// New returns the defaults.
func New() Options { return Options{ID: rand.Text(), nonce: rand.Text()} }

// Owner is the value of the uniqueness key while it belongs to the task; empty where there is no key.
func (o Options) Owner() string {
	if o.Unique == "" {
		return ""
	}
	return o.ID + "." + o.nonce
}

// Check says what is wrong with them.
func (o Options) Check(queue string) error {
	if queue == "" {
		return errors.New("the queue's name is empty")
	}
	if err := redislist.CheckID(o.ID); err != nil {
		return fmt.Errorf("WithID, %w", err)
	}
	if o.HasUnique && o.Unique == "" { // the task would silently not be unique
		return fmt.Errorf("WithUnique(%q, %s): the key must not be empty; leave the option out for a task that is not unique", o.Unique, o.UniqueFor)
	}
	if o.HasUnique && o.UniqueFor <= 0 {
		return fmt.Errorf("WithUnique(%q, %s): the time must be more than 0", o.Unique, o.UniqueFor)
	}
	if !utf8.ValidString(o.Unique) {
		return fmt.Errorf("WithUnique(%q): the key must be valid UTF-8", o.Unique)
	}
	for name, value := range o.Headers { // they travel as JSON, which changes other bytes
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return fmt.Errorf("WithHeader(%q, %q): both must be valid UTF-8", name, value)
		}
	}
	for name := range o.Headers {
		if store.IsOwnHeader(name) {
			return fmt.Errorf("WithHeader(%q): the name is the SDK's own", name)
		}
	}
	if err := redislist.CheckHeaders(o.headers()); err != nil {
		return fmt.Errorf("WithHeader, WithUnique, %w", err)
	}
	return nil
}

// Task makes the task of a payload. The broker sets First.
func (o Options) Task(payload string) redislist.Task {
	return redislist.Task{ID: o.ID, Headers: o.headers(), Payload: payload}
}

// headers are the producer's and the SDK's own.
func (o Options) headers() map[string]string {
	headers := maps.Clone(o.Headers)
	if o.Unique != "" {
		if headers == nil {
			headers = map[string]string{}
		}
		store.SetUnique(headers, o.Unique, o.Owner())
	}
	return headers
}
