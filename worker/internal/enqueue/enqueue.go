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
	ID, Unique string
	// nonce has nothing else in the queue know the uniqueness for its own.
	nonce     string
	Headers   map[string]string
	Delay     time.Duration
	UniqueFor time.Duration
}

// New are the options of a task of which nothing is said.
func New() Options { return Options{ID: rand.Text(), nonce: rand.Text()} }

// Owner is what the uniqueness key says for as long as it is the task's; nothing where there is no key.
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
		return fmt.Errorf("WithID: %w", err)
	}
	if o.Unique != "" && o.UniqueFor <= 0 {
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
		return fmt.Errorf("WithHeader, WithUnique: %w", err)
	}
	return nil
}

// Task is the task that they make of a payload. First is the broker's to set.
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
