package worker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/internal/store"
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

// shell runs lines of a page, whose redis-cli is the bench's.
func (b *bench) shell(lines string) string {
	b.Helper()
	_, port, err := net.SplitHostPort(b.server.Addr())
	if err != nil {
		b.Fatal(err)
	}
	cli, err := exec.LookPath("redis-cli")
	if err != nil {
		b.Fatal("redis-cli is not installed; on Debian or Ubuntu: apt-get install redis-tools")
	}
	bin := b.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "redis-cli"), []byte("#!/bin/sh\nexec "+cli+" -p "+port+" \"$@\"\n"), 0o700); err != nil { //nolint:gosec // it is run
		b.Fatal(err)
	}
	command := exec.CommandContext(b.Context(), "sh", "-ec", lines) //nolint:gosec // the page's own lines
	command.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		b.Fatalf("%s\n%v\n%s", lines, err, out)
	}
	return string(out)
}

// The lines that the page gives for dead letters do what it says, whatever is in the letters.
func TestThePageOnDeadLetters(t *testing.T) {
	page, err := os.ReadFile("../docs/write-a-worker.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Dead letters\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := strings.Split(section, "```sh\n")[1:]
	for i := range blocks {
		blocks[i], _, _ = strings.Cut(blocks[i], "```")
	}
	if len(blocks) != 3 {
		t.Fatalf("the page has %d blocks of lines on dead letters, want those to look, to replay and to drop", len(blocks))
	}
	look, replay, drop := blocks[0], blocks[1], blocks[2]

	b := newBench(t)
	c := worker.NewClient(b.redis)
	long := strings.Repeat("\xff\x00\"long", store.StepBytes/7+1)
	payloads := []string{`{"to":"o'hara","html":"<b>ü & more</b>"}`, "\xff\x00\x01 no text", "\xfe", "\xfe\xff", "\u2028", "", long + "replayed", long + "the last"}
	header := "a \"quoted\" /<ü>"
	for i, payload := range payloads {
		if _, err := c.Enqueue(t.Context(), queue, []byte(payload), worker.WithID(fmt.Sprint("t-", i)), worker.WithHeader("k", header)); err != nil {
			t.Fatal(err)
		}
	}
	bury := func(context.Context, *worker.Task) error { return worker.Permanent(errors.New("no")) }
	r := b.start(bury)
	b.awaitDead(int64(len(payloads)))
	r.cancel()
	r.left()

	looking, _, _ := strings.Cut(look, "redis-cli DEL")
	if got := b.shell(looking); !strings.HasPrefix(got, fmt.Sprintln(len(payloads))) || !strings.Contains(got, `<b>ü & more</b>`) {
		t.Errorf("looking says\n%s", got)
	}
	for range len(payloads) - 1 {
		if got := strings.TrimSpace(b.shell(replay)); got != "1" {
			t.Fatalf("replaying says %q", got)
		}
	}
	for _, want := range []string{"1", "0"} { // of the last, and of none
		if got := strings.TrimSpace(b.shell(drop)); got != want {
			t.Errorf("dropping says %q, want %s", got, want)
		}
	}
	if got := strings.TrimSpace(b.shell(replay)); got != "0" {
		t.Errorf("replaying none says %q", got)
	}
	if n := b.number("HLEN", redislist.DeadPayloads(queue)); n > 0 {
		t.Errorf("%d payloads of no letter are left", n)
	}
	r, tasks := b.catch()
	for i, payload := range payloads[:len(payloads)-1] {
		got := receive(b, tasks, "task")
		if string(got.Payload) != payload || got.ID != fmt.Sprint("t-", i) || got.Headers["k"] != header || got.Attempt != 1 {
			t.Errorf("task %d is %+.300v, want payload %.300q", i, got, payload)
		}
	}
	b.awaitEmpty()
	r.cancel()
	r.left()

	b.do("LPUSH", redislist.Dead(queue), "a line that is no letter")
	if b.shell(look); b.dead() != 0 {
		t.Errorf("%d letters are left", b.dead())
	}
}
