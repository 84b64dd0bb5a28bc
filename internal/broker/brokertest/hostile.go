package brokertest

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/quickube/qscaler/internal/broker"
)

// conversation is a queue with 12 messages of which a worker holds 5, the settings of the server that has it, and how
// many bytes it sends from the first to the end of one read.
func conversation(t *testing.T, h Harness) (broker.Query, *proxy, int) {
	t.Helper()
	s := h.Start(t)
	together(s, func() {
		s.Push("q", 12)
		s.Take("q", worker("w"), 5)
	})
	p, q := newProxy(t, s.Settings()), h.query("q", "w")
	answers, err := readOnce(t, h, p.settings(), q)
	if err != nil {
		t.Fatal(err)
	}
	if len(answers) != 1 || answers[0].Err != nil {
		t.Fatalf("%+v, want one answer, without an error", answers)
	}
	check(t, h, answers[0].Depth, 7, 5, map[string]int64{"w": 5})
	total := p.received()
	return q, p, total
}

// spoiled is right when a read that something was wrong with has failed, or has answered what is true.
func spoiled(t *testing.T, what string, answers []broker.Answer, err error) {
	t.Helper()
	if err != nil {
		fails(t, err)
		return
	}
	if len(answers) != 1 {
		t.Errorf("%s, the answers are %+v, without an error; want one", what, answers)
		return
	}
	if err := answers[0].Err; err != nil {
		fails(t, err)
		return
	}
	d := answers[0].Depth
	held, known := d.Held["w"]
	if d.Waiting != broker.CountOf(7) || (d.InFlight.Known && d.InFlight.N != 5) || (known && held != 5) {
		t.Errorf("%s, the answer is %+v; there are 7 waiting and 5 in flight, which one worker holds", what, d)
	}
}

// mostCuts bounds how many places a connection is cut at.
const mostCuts = 300

// places are where a conversation is spoiled: at each byte, or spread over it where it is long.
func places(total, most int) []int {
	step := max(1, (total+most-1)/most)
	var at []int
	for i := 0; i < total; i += step {
		at = append(at, i)
	}
	return append(at, total-1)
}

func cutAnywhere(t *testing.T, h Harness) {
	q, p, total := conversation(t, h)
	failed := 0
	for _, at := range places(total, mostCuts) {
		p.spoil(at, nil)
		answers, err := readOnce(t, h, p.settings(), q)
		spoiled(t, fmt.Sprintf("cut after %d of %d bytes", at, total), answers, err)
		if err != nil {
			failed++
		}
	}
	if failed == 0 {
		t.Errorf("no read of a connection that is cut within %d bytes has failed", total)
	}
}

func stalledAnywhere(t *testing.T, h Harness) {
	q, whole, total := conversation(t, h)
	for _, at := range []int{0, total / 2, total - 1} {
		what := fmt.Sprintf("stalled after %d of %d bytes", at, total)
		t.Run(what, func(t *testing.T) {
			t.Parallel() // each waits for what does not come
			p := newProxy(t, whole.server)
			p.stall(at)
			within(t, "a read over a connection that stalls", func() {
				answers, err := readOnce(t, h, p.settings(), q)
				spoiled(t, what, answers, err)
			})
		})
	}
}

// answersOnce: a driver does not come back to a server that closes each connection after one answer. The backlog does, and
// knows how long to wait.
func answersOnce(t *testing.T, h Harness) {
	q, p, total := conversation(t, h)
	earlier := p.dialled()
	p.spoil(total, nil)
	d, err := dial(t, h, p.settings())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	failed := 0
	for range 100 {
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		answers, err := d.Depths(ctx, []broker.Query{q})
		cancel()
		spoiled(t, "the connection is closed after one answer", answers, err)
		if err != nil {
			failed++
		}
	}
	if failed < 98 {
		t.Errorf("%d of 100 reads have failed", failed)
	}
	if n := p.dialled() - earlier; n != 1 {
		t.Errorf("the driver has made %d connections, want 1", n)
	}
}

// mostAllocated is how much memory one connection to a hostile server may take in all, also what is free again at once,
// with what the proxy takes.
const mostAllocated = 1 << 20

// feeds are what a server may send that is none, or none of this kind.
func feeds() map[string]feed {
	return map[string]feed{
		"garbage":                   text("\x00\xff\xfe{]}\r\nq\r\n"),
		"another protocol":          text("HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nno\n"),
		"huge lengths":              text("OK 99999999999999999999\r\n$99999999999\r\n*2000000000\r\n%9223372036854775807\r\n"),
		"long strings":              text("OK 16777216\r\n" + strings.Repeat("x", 1<<20)),
		"long strings of another":   text("$16777216\r\n" + strings.Repeat("x", 1<<20)),
		"negative lengths":          text("OK -7\r\n$-7\r\n*-7\r\n"),
		"negative maps":             text("%-1\r\n"),
		"lines that end otherwise":  text("*12\n" + strings.Repeat(":1\n", 12) + "OK 5\nabcde\n"),
		"nulls with more":           text(strings.Repeat("_xx+OK\r\n", 100)),
		"pushes in arrays":          text(strings.Repeat("*1\r\n>1\r\n+a\r\n:1\r\n", 100)),
		"pushes of nothing":         text(strings.Repeat(">-1\r\n:1\r\n", 100)),
		"subscriptions":             text(strings.Repeat(">3\r\n+subscribeX\n+c\r\n:1\r\n", 100)),
		"attributes and chunks":     text("|1\r\n+a\r\n+b\r\n$?\r\n;1\r\nx\r\n;-5\r\n"),
		"nested arrays":             text(strings.Repeat("*1\r\n", 100_000)),
		"nested arrays of millions": text("*8\r\n" + strings.Repeat("*1048576\r\n", 8)),
		"lines without end":         repeated("x"),
		"zeros without end":         repeated("\x00"),
		"replies without end":       repeated("+OK\r\n"),
		"numbers without end":       repeated(":1\r\n"),
		"arrays without end":        repeated("*1048576\r\n"),
		"attributes without end":    repeated("|1\r\n+a\r\n+b\r\n"),
		"an error of 60 KiB":        text("-ERR " + strings.Repeat("x\u202e\x1b[31m", 8<<10) + "\r\n"),
		"an error of megabytes":     text("-ERR " + strings.Repeat("é\x1b[31m", 1<<20) + "\r\n"),
		"words that are not shown":  text("-ERR a\x1b[31mb\u202ec\x00\u2066d\r\nINTERNAL_ERROR \x1b[31m\r\n"),
		"errors without words":      text(strings.Repeat("-\r\n", 8) + " \r\n"),
		"errors of blanks":          text("-   \t \r\n \u2066 \r\n"),
		"errors of nothing printed": text("-ERR \x1b\u202e\r\n\x1b\r\n"),
		"errors with empty lines":   text("!6\r\nERR \n \r\n\r\n"),
		"pushes without end":        repeated(">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nq\r\n"),
	}
}

func hostile(t *testing.T, h Harness) {
	q, p, total := conversation(t, h)
	for name, feed := range feeds() {
		t.Run(name, func(t *testing.T) {
			for _, at := range places(total, 8) {
				p.spoil(at, feed)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				within(t, "a read from a hostile server", func() {
					answers, err := readOnce(t, h, p.settings(), q)
					spoiled(t, fmt.Sprintf("%s after %d of %d bytes", name, at, total), answers, err)
				})
				runtime.ReadMemStats(&after)
				if took := after.TotalAlloc - before.TotalAlloc; took > mostAllocated {
					t.Errorf("after %d bytes, it has taken %d KiB", at, took>>10)
				}
			}
		})
	}
}
