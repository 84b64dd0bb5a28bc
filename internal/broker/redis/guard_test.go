package redis

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
)

// strangeReplies are what a server may send in the place of a number. Without the guard most of these end the process.
var strangeReplies = map[string]string{
	"a reply too many":              ":1\r\n:2\r\n",
	"a good-bye":                    ":1\r\n-ERR idle timeout\r\n",
	"a subscription":                ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n:1\r\n",
	"the end of one":                ">3\r\n+unsubscribe\r\n$1\r\nc\r\n:1\r\n:1\r\n",
	"a subscription to a pattern":   ">3\r\n$10\r\npsubscribe\r\n$1\r\nc\r\n:1\r\n:1\r\n",
	"a subscription with an LF":     ">3\r\n+subscribeX\n+c\r\n:1\r\n:1\r\n",
	"an attribute before its name":  ">2\r\n|1\r\n+a\r\n+b\r\n+subscribe\r\n+c\r\n:1\r\n",
	"an endless string":             "$99999999999999\r\n",
	"an endless array":              "*2000000000\r\n",
	"a negative length":             "*-7\r\n",
	"a negative map":                "%-1\r\n",
	"a negative push":               ">-1\r\n:1\r\n",
	"a negative set":                "~-1\r\n:1\r\n",
	"a length that overflows":       "%4611686018427387905\r\n:1\r\n",
	"a length with a sign":          "$+1\r\nx\r\n",
	"a number that overflows":       ":9223372036854775808\r\n",
	"arrays of arrays":              strings.Repeat("*1\r\n", 10000),
	"HTTP":                          "HTTP/1.1 400 Bad Request\r\n",
	"an empty line":                 "\r\n",
	"an array in place of a number": "*1\r\n:1\r\n",
	"an odd push":                   ">1\r\n:1\r\n:1\r\n",
	"a push of nothing":             ">0\r\n:1\r\n",
	"a push of nil":                 ">2\r\n_\r\n_\r\n:1\r\n",
	"keys that are none":            ">2\r\n$10\r\ninvalidate\r\n*1\r\n:1\r\n:1\r\n",
	"a push in a push":              ">2\r\n+a\r\n>2\r\n+subscribe\r\n+c\r\n:1\r\n",
	"a push in an array":            "*1\r\n>1\r\n+a\r\n:1\r\n",
	"LF alone":                      "*12\n" + strings.Repeat(":1\r\n", 12),
	"LF alone after a string":       "$1\r\nx\n\n:1\r\n",
	"a length with an LF":           "$1x\n\r\n:1\r\n",
	"CR within a line":              "+a\rb\r\n",
	"a null with more":              "_xx+OK\r\n",
	"a null that ends otherwise":    "_\n\n+OK\r\n:1\r\n",
	"a truth with more":             "#txx:1\r\n",
	"a truth":                       "#t\r\n",
	"a double":                      ",1.5\r\n",
	"a big number":                  "(3492890328409238509324850943850943825024385\r\n",
	"an error as a string":          "!5\r\nERR x\r\n",
	"a string with its format":      "=5\r\ntxt:x\r\n",
	"a set":                         "~1\r\n:1\r\n",
	"a map that is odd":             "%1\r\n+a\r\n",
	"a string in chunks":            "$?\r\n;1\r\nx\r\n;0\r\n",
	"a negative chunk":              "$?\r\n;-5\r\n;0\r\n",
	"an array without a length":     "*?\r\n:1\r\n.\r\n",
	"an end without a beginning":    ".\r\n:1\r\n",
	"an attribute":                  "|1\r\n+a\r\n+b\r\n:1\r\n",
	"attributes alone":              strings.Repeat("|1\r\n+a\r\n+b\r\n", 1000),
	"a long error":                  "-ERR " + strings.Repeat("x", 60<<10) + "\r\n",
}

// A server that is no Redis, or an evil one, fails its own queues and nothing else.
func TestNoServerTakesTheOperatorDown(t *testing.T) {
	for name, reply := range strangeReplies {
		t.Run(name, func(t *testing.T) {
			address := fakeServer(t, func(c []string) string {
				switch c[0] {
				case "HELLO":
					return "%1\r\n$5\r\nproto\r\n:3"
				case "LLEN":
					return strings.TrimSuffix(reply, "\r\n")
				}
				return "+OK"
			})
			d := open(t, Config{Address: address}, newBell().ring)
			for range 3 { // the first may be answered before what is wrong has come
				ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
				_, err := d.Depths(ctx, []broker.Query{{Queue: "q"}})
				cancel()
				t.Log(err)
			}
		})
	}
}

// The frames are found wherever the network cuts them. A push that comes in the middle of a reply follows it.
func TestRepliesFollowFrames(t *testing.T) {
	const (
		before = ":1\r\n+OK\r\n$-1\r\n_\r\n*2\r\n$5\r\na\r\nbc\r\n*1\r\n:3\r\n%1\r\n+k\r\n:1\r\n" +
			">2\r\n$10\r\ninvalidate\r\n*1\r\n$9\r\nsubscribe\r\n*0\r\n*-1\r\n$0\r\n\r\n"
		push  = ">2\r\n$10\r\ninvalidate\r\n_\r\n"
		after = "-ERR no\r\n"
	)
	stream := before + "*2\r\n:1\r\n" + push + "*1\r\n" + push + ":2\r\n" + after
	want := before + "*2\r\n:1\r\n*1\r\n:2\r\n" + push + push + after
	for size := 1; size <= len(stream); size++ {
		r := newReplies(11)
		var got []byte
		for rest := stream; rest != ""; rest = rest[min(size, len(rest)):] {
			if err := r.pass([]byte(rest[:min(size, len(rest))])); err != nil {
				t.Fatalf("in pieces of %d: %v", size, err)
			}
			piece := make([]byte, size)
			for n := r.take(piece); n > 0; n = r.take(piece) {
				got = append(got, piece[:n]...)
			}
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Fatalf("in pieces of %d (-want +got):\n%s", size, diff)
		}
		if _, err := r.owed.settle(); err == nil {
			t.Fatalf("in pieces of %d, not every reply was counted", size)
		}
	}
}

// newReplies are to commands that each may have a long answer.
func newReplies(n int) *replies {
	r := &replies{owed: &debts{}}
	for range n {
		r.owed.add(ofHello)
	}
	return r
}

// What is announced counts before it comes, wherever it stands in a reply.
func TestAReplyIsBoundedAsAWhole(t *testing.T) {
	one := "$1\r\nx\r\n"
	cases := map[string]struct {
		command string
		queued  int
		reply   string
		fits    bool
	}{
		"a number":                        {"LLEN", 0, ":1\r\n", true},
		"an array for a number":           {"LLEN", 0, "*1\r\n", false},
		"an empty array for a number":     {"LLEN", 0, "*0\r\n", true},
		"a string for a number":           {"LLEN", 0, "$2000\r\n", true},
		"a longer one":                    {"LLEN", 0, "$2048\r\n", false},
		"the longest line":                {"LLEN", 0, "-" + strings.Repeat("x", longestLine-2) + "\r\n", true},
		"a longer line":                   {"LLEN", 0, "-" + strings.Repeat("x", longestLine) + "\r\n", false},
		"a line without an end":           {"LLEN", 0, "-" + strings.Repeat("x", longestLine), false},
		"as many numbers as were asked":   {"EXEC", 7, "*7\r\n", true},
		"one more":                        {"EXEC", 7, "*8\r\n", false},
		"arrays in their place":           {"EXEC", 7, "*7\r\n*1\r\n", false},
		"an error for each":               {"EXEC", 1000, "*1000\r\n" + strings.Repeat("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", 1000), true},
		"words for each":                  {"EXEC", 1000, "*1000\r\n" + strings.Repeat("-"+strings.Repeat("x", 200)+"\r\n", 1000), false},
		"a step":                          {"EVAL", 0, "*2\r\n:1\r\n:1\r\n", true},
		"a step of more":                  {"EVAL", 0, "*6\r\n", false},
		"a page":                          {"SCAN", 0, "*2\r\n$1\r\n7\r\n*8189\r\n", true},
		"a longer page":                   {"SCAN", 0, "*2\r\n$1\r\n7\r\n*8190\r\n", false},
		"a page of long keys":             {"SCAN", 0, "*2\r\n$1\r\n7\r\n*2\r\n$500000\r\n", true},
		"a page of longer keys":           {"SCAN", 0, "*2\r\n$1\r\n7\r\n*2\r\n$524288\r\n", false},
		"a greeting":                      {"HELLO", 0, "%255\r\n" + strings.Repeat(one, 510), true},
		"a greeting of more":              {"HELLO", 0, "%256\r\n", false},
		"arrays in arrays in a greeting":  {"HELLO", 0, strings.Repeat("*7\r\n", 8), true},
		"deeper":                          {"HELLO", 0, strings.Repeat("*7\r\n", 9), false},
		"arrays beside arrays":            {"HELLO", 0, "*255\r\n*255\r\n", true},
		"more of them":                    {"HELLO", 0, "*255\r\n*257\r\n", false},
		"a push":                          {"LLEN", 0, ">2\r\n+invalidate\r\n*61\r\n", true},
		"a push of more":                  {"LLEN", 0, ">2\r\n+invalidate\r\n*62\r\n", false},
		"pushes in the middle of a reply": {"EXEC", 7, "*7\r\n" + strings.Repeat(">2\r\n+invalidate\r\n_\r\n", 300), true},
		"so many that they would be kept": {"EXEC", 7, "*7\r\n" + strings.Repeat(">2\r\n+invalidate\r\n_\r\n", 1000), false},
		"a push for each of many flushes": {"LLEN", 0, strings.Repeat(">2\r\n+invalidate\r\n_\r\n", sparePushes+1), true},
		"pushes without end":              {"LLEN", 0, strings.Repeat(">2\r\n+invalidate\r\n_\r\n", sparePushes+2), false},
		"a second reply to one command":   {"LLEN", 0, ":1\r\n:1\r\n", false},
		"two strings that are too long":   {"HELLO", 0, "*2\r\n$9000\r\n" + strings.Repeat("x", 9000) + "\r\n$9000\r\n", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := &replies{owed: &debts{}}
			r.owed.add(boundsOf(c.command, 1, c.queued))
			if err := r.pass([]byte(c.reply)); (err == nil) != c.fits {
				t.Errorf("it is let through: %t (%v), want %t", err == nil, err, c.fits)
			}
		})
	}
}

// A transaction may be answered by as many numbers as it has commands, each counted anew.
func TestCommandsSayWhatIsOwed(t *testing.T) {
	const stream = "*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nLLEN\r\n$3\r\n*\r\n\r\n*2\r\n$4\r\nLLEN\r\n$0\r\n\r\n*1\r\n$4\r\nEXEC\r\n" +
		"*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nEXEC\r\n*2\r\n$4\r\nSCAN\r\n$1\r\n0\r\n"
	want := []bounds{ofOne, ofOne, ofOne, ofExec(2), ofOne, ofExec(0), ofScan}
	for size := 1; size <= len(stream); size++ {
		var got []bounds
		c := commands{complete: func(b bounds) { got = append(got, b) }}
		for rest := stream; rest != ""; rest = rest[min(size, len(rest)):] {
			c.scan([]byte(rest[:min(size, len(rest))]))
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(bounds{})); diff != "" {
			t.Fatalf("in pieces of %d (-want +got):\n%s", size, diff)
		}
	}
}
