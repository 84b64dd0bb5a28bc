package worker_test

import (
	"context"
	"errors"
	"testing"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/redislist"
)

func (b *bench) awaitDead(n int64) {
	b.Helper()
	b.eventually("the dead letters", func() string {
		if b.dead() != n {
			return "there are fewer"
		}
		return ""
	})
}

// A time that JSON cannot have must not cost the payload.
func TestADeadLetterOfTheFarFuture(t *testing.T) {
	b := newBench(t)
	b.do("LPUSH", queue, "qscaler:1:x:0:0:999999999999999::0:precious")
	r := b.start(func(context.Context, *worker.Task) error { return worker.Permanent(errors.New("no")) })
	b.awaitDead(1)
	r.cancel()
	r.left()
	letters, err := worker.NewClient(b.redis).DeadLetters(t.Context(), queue, 0, 10)
	if err != nil || len(letters) != 1 || letters[0].ID != "x" || string(letters[0].Payload) != "precious" || letters[0].First.Year() != 9999 {
		t.Errorf("the letters are %+v (%v)", letters, err)
	}
}

// What somebody else has pushed to the list hides no letter, and can be dropped.
func TestALineThatIsNoLetter(t *testing.T) {
	b := newBench(t)
	c := worker.NewClient(b.redis)
	const good, bad = `{"id":"t-1","error":"no","attempts":1,"payload":"p"}`, `{"id":"t-2","payloadBase64":"???"}`
	b.do("RPUSH", redislist.Dead(queue), "", bad, good)
	letters, err := c.DeadLetters(t.Context(), queue, 0, 10)
	if err != nil || len(letters) != 3 || string(letters[2].Payload) != "p" {
		t.Fatalf("the letters are %+v (%v)", letters, err)
	}
	if d := letters[1]; string(d.Payload) != bad || d.ID != "" || d.Error == "" {
		t.Errorf("the line is the letter %+v", d)
	}
	for _, d := range letters[:2] {
		if ok, err := c.Replay(t.Context(), queue, d); ok || !errors.Is(err, redislist.ErrInvalidID) {
			t.Errorf("replaying %q says %t, %v", d.Payload, ok, err)
		}
		if ok, err := c.Drop(t.Context(), queue, d); !ok || err != nil {
			t.Errorf("dropping %q says %t, %v", d.Payload, ok, err)
		}
	}
	if b.dead() != 1 || b.waiting() != 0 {
		t.Errorf("%d letters are left and %d tasks wait, want 1 and 0", b.dead(), b.waiting())
	}
}
