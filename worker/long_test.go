package worker_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/internal/store"
	"github.com/quickube/qscaler/worker/redislist"
)

// longPayload is no text, and of several steps.
func longPayload() []byte {
	return bytes.Repeat([]byte("\xff\x00 a long payload\n"), 3*store.StepBytes/16)
}

// A task that is too long for one step is done like any other: tried again, given up, listed, replayed and dropped.
func TestALongTask(t *testing.T) {
	b := newBench(t)
	c := worker.NewClient(b.redis)
	payload := longPayload()
	enqueue := func() error {
		_, err := c.Enqueue(t.Context(), queue, payload, worker.WithID("long"), worker.WithHeader("k", "v"), worker.WithUnique("key", time.Hour))
		return err
	}
	if err := enqueue(); err != nil {
		t.Fatal(err)
	}
	good := make(chan struct{})
	r := b.start(func(_ context.Context, k *worker.Task) error {
		if !bytes.Equal(k.Payload, payload) || k.Headers["k"] != "v" || k.ID != "long" {
			t.Errorf("attempt %d has %d bytes, and is %s with headers %v", k.Attempt, len(k.Payload), k.ID, k.Headers)
		}
		select {
		case <-good:
			return nil
		default:
			return errors.New("not yet")
		}
	}, worker.WithRetries(1), worker.WithBackoff(func(int) time.Duration { return 0 }))
	letters := func() []worker.DeadLetter {
		t.Helper()
		b.awaitDead(1)
		letters, err := c.DeadLetters(t.Context(), queue, 0, 10)
		if err != nil || len(letters) != 1 {
			t.Fatalf("the letters are %v (%v)", letters, err)
		}
		if d := letters[0]; !bytes.Equal(d.Payload, payload) || d.ID != "long" || d.Attempts != 2 || d.Headers["k"] != "v" || d.Error != "not yet" {
			t.Errorf("the letter of %d bytes is %s after %d attempts, with %v: %s", len(d.Payload), d.ID, d.Attempts, d.Headers, d.Error)
		}
		return letters
	}
	dead := letters()[0]
	if line, err := b.do("LINDEX", redislist.Dead(queue), "0").ToString(); err != nil || len(line) > 1000 {
		t.Errorf("the line has %d bytes (%v): nobody can look at it", len(line), err)
	}
	if ok, err := c.Drop(t.Context(), queue, dead); !ok || err != nil {
		t.Errorf("dropping it says %t, %v", ok, err)
	}
	if ok, err := c.Replay(t.Context(), queue, dead); ok || err != nil {
		t.Errorf("then, replaying it says %t, %v", ok, err)
	}
	if err := enqueue(); err != nil { // its uniqueness has ended
		t.Fatal(err)
	}
	dead = letters()[0]
	close(good)
	if ok, err := c.Replay(t.Context(), queue, dead); !ok || err != nil {
		t.Errorf("replaying it says %t, %v", ok, err)
	}
	b.awaitEmpty()
	r.cancel()
	r.left()
	if keys, err := b.do("KEYS", "*").AsStrSlice(); err != nil || len(keys) > 0 {
		t.Errorf("there are %q left (%v)", keys, err)
	}
}

// Over a line on which a task takes longer than one operation of the broker may, it comes part by part, and once.
func TestALongTaskOverASlowLine(t *testing.T) {
	b := newBench(t)
	l := newLine(t, b.server.Addr(), 1)
	b.environment(l.addr())
	payload := longPayload()
	const seconds = 7 // longer than the worker waits for any answer
	l.slow(len(payload) / seconds)
	r, tasks := b.catch()
	b.eventually("the worker is idle", func() string {
		if text, err := b.do("CLIENT", "LIST").ToString(); err != nil || !strings.Contains(text, "cmd=blmove") {
			return "it does not wait for a task"
		}
		return ""
	})
	if err := b.redis.Do(t.Context(), b.redis.B().Lpush().Key(queue).Element(string(payload)).Build()).Error(); err != nil {
		t.Fatal(err)
	}
	if k := receive(b, tasks, "task"); !bytes.Equal(k.Payload, payload) || k.Attempt != 1 {
		t.Errorf("attempt %d has %d bytes", k.Attempt, len(k.Payload))
	}
	b.awaitEmpty()
	r.cancel()
	r.left()
	if again := len(tasks); again > 0 {
		t.Errorf("it was done %d times more", again)
	}
}
