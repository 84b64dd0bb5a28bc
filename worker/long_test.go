package worker_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
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

// parts counts the parts of tasks that are on their way.
type parts struct {
	store.Store
	now, most atomic.Int32
}

func (p *parts) Fetch(ctx context.Context, item store.Item, after int) (part string, ok bool, err error) {
	if n := p.now.Add(1); n > p.most.Load() {
		p.most.Store(n)
	}
	defer p.now.Add(-1)
	<-time.After(10 * time.Millisecond)
	return p.Store.Fetch(ctx, item, after)
}

// Of several tasks, one part is on its way at a time: over a slow line, all would time out together, again and again.
func TestLongTasksSideBySide(t *testing.T) {
	b := newBench(t)
	const tasks = 7
	for range tasks {
		b.do("LPUSH", queue, strings.Repeat("x", 3*store.StepBytes))
	}
	p, done, begun := &parts{}, make(chan int, tasks), make(chan struct{})
	r := b.startOn(func(s store.Store) store.Store { p.Store = s; return p }, func(_ context.Context, k *worker.Task) error {
		done <- len(k.Payload)
		<-begun // so that each has a hand
		return nil
	}, worker.WithConcurrency(tasks))
	for range tasks {
		if n := receive(b, done, "task"); n != 3*store.StepBytes {
			t.Errorf("it has %d bytes", n)
		}
	}
	close(begun)
	b.awaitEmpty()
	r.cancel()
	r.left()
	if n := p.most.Load(); n != 1 {
		t.Errorf("%d parts were on their way at once", n)
	}
}

// A worker that is to leave does not wait for a broker that is away to have the rest of a task.
func TestLeavingWhileALongTaskIsReceived(t *testing.T) {
	b := newBench(t)
	l := newLine(t, b.server.Addr(), 1)
	b.environment(l.addr())
	l.slow(store.StepBytes / 4)
	b.do("LPUSH", queue, strings.Repeat("x", 2*store.StepBytes))
	r := b.start(func(context.Context, *worker.Task) error { t.Error("it was begun"); return nil })
	b.eventually("the task is received", func() string {
		if l.length()[replies] < store.StepBytes/4 {
			return "little has come"
		}
		return ""
	})
	b.server.Kill()
	b.grant("ScaleDown")
	r.left()
	b.server.Restart()
	b.redis = b.server.Client()
	if n := b.inHand(); n != 1 {
		t.Errorf("%d are in its list, want the one", n)
	}
}

// Letters that would be long are kept short also where the task is not, so that no step is long.
func TestALongLetterOfAShorterTask(t *testing.T) {
	b := newBench(t)
	payload := strings.Repeat("\x01", store.StepBytes-1000) // six bytes of JSON for each
	b.do("LPUSH", queue, payload)
	r := b.start(func(context.Context, *worker.Task) error { return worker.Permanent(errors.New("no")) })
	b.awaitDead(1)
	r.cancel()
	r.left()
	if line, err := b.do("LINDEX", redislist.Dead(queue), "0").ToString(); err != nil || len(line) > 1000 {
		t.Errorf("the line has %d bytes (%v)", len(line), err)
	}
	letters, err := worker.NewClient(b.redis).DeadLetters(t.Context(), queue, 0, 1)
	if err != nil || string(letters[0].Payload) != payload {
		t.Errorf("the letter has %d bytes (%v)", len(letters[0].Payload), err)
	}
}

// A letter is dropped as a whole or not at all, and replayed with the payload that it has.
func TestALongLetterIsMended(t *testing.T) {
	b := newBench(t)
	c := worker.NewClient(b.redis)
	b.do("LPUSH", redislist.Dead(queue), `{"id":"t-1","error":"no","payloadField":"r.1"}`)
	b.do("HSET", redislist.DeadPayloads(queue), "r.1", "long")
	if ok, err := c.Drop(t.Context(), queue, worker.DeadLetter{ID: "t-1", PayloadField: "r.1"}); ok || err != nil {
		t.Errorf("dropping one that is not from the list says %t, %v", ok, err)
	}
	letters, err := c.DeadLetters(t.Context(), queue, 0, 1)
	if err != nil || len(letters) != 1 || string(letters[0].Payload) != "long" {
		t.Fatalf("the letters are %+v (%v)", letters, err)
	}
	letters[0].Payload = []byte("mended")
	if ok, err := c.Replay(t.Context(), queue, letters[0]); !ok || err != nil {
		t.Errorf("replaying it says %t, %v", ok, err)
	}
	if element, err := b.do("LINDEX", queue, "0").ToString(); err != nil || redislist.Parse(element).Payload != "mended" {
		t.Errorf("there waits %q (%v)", element, err)
	}
	if n := b.number("EXISTS", redislist.DeadPayloads(queue), redislist.Dead(queue)); n > 0 {
		t.Errorf("%d keys are left", n)
	}

	const bare = `{"id":"t-2","error":"no","payloadField":"r.2"}`
	b.do("LPUSH", redislist.Dead(queue), bare, bare)
	if letters, err = c.DeadLetters(t.Context(), queue, 0, 10); err != nil || len(letters) != 2 || !strings.Contains(letters[0].Error, "it is gone") {
		t.Fatalf("the letters are %+v (%v)", letters, err)
	}
	if ok, err := c.Replay(t.Context(), queue, letters[0]); ok || err == nil || !strings.Contains(err.Error(), "gone") {
		t.Errorf("replaying one without its payload says %t, %v", ok, err)
	}
	unread, err := worker.ParseDeadLetter(bare)
	if err != nil {
		t.Fatal(err)
	}
	b.do("HSET", redislist.DeadPayloads(queue), "r.2", "found again")
	if ok, err := c.Replay(t.Context(), queue, unread); !ok || err != nil {
		t.Errorf("replaying one whose payload was not read says %t, %v", ok, err)
	}
	if element, err := b.do("LINDEX", queue, "0").ToString(); err != nil || redislist.Parse(element).Payload != "found again" {
		t.Errorf("there waits %q (%v)", element, err)
	}
}

// A task that is not held any more once it is received is not begun, and the log says so.
func TestALongTaskIsLostWhileItIsReceived(t *testing.T) {
	b := newBench(t)
	l := newLine(t, b.server.Addr(), 1)
	b.environment(l.addr())
	l.slow(store.StepBytes)
	b.do("LPUSH", queue, strings.Repeat("x", 3*store.StepBytes))
	log := &lines{}
	r := b.start(func(context.Context, *worker.Task) error { t.Error("it was begun"); return nil }, logTo(log))
	b.eventually("the task is received", func() string {
		if l.length()[replies] < store.StepBytes/4 {
			return "little has come"
		}
		return ""
	})
	b.do("DEL", redislist.Processing(queue, pod))
	b.eventually("the log to say so", func() string {
		if text := log.String(); !strings.Contains(text, "not held") {
			return "it has: " + text
		}
		return ""
	})
	r.cancel()
	r.left()
}
