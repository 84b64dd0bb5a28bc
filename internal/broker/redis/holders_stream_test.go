package redis

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// searched has the streams of a server searched that answers so.
func searched(t *testing.T, scan, groups, pending string) ([]broker.Holder, error) {
	t.Helper()
	address := fakeServer(t, func(c []string) string {
		switch c[0] {
		case "HELLO":
			return unknown(c)
		case "SCAN":
			return scan
		case "XINFO":
			return groups
		case "XPENDING":
			return pending
		}
		return "+OK"
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return open(t, Config{Address: address, Layout: Streams}, newBell().ring).(broker.Reclaimer).Holders(ctx)
}

const (
	onePage  = "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nq"
	oneGroup = "*1\r\n*4\r\n$4\r\nname\r\n$1\r\ng\r\n$7\r\npending\r\n:1"
	oneTaken = "*4\r\n:1\r\n$3\r\n1-0\r\n$3\r\n1-0\r\n*1\r\n*2\r\n$1\r\nw\r\n$1\r\n1"
)

// A search of streams finds whom the server names. A stream that is gone, that is another's, or whose group is gone, is left
// out; what no Redis says is an error, and never nobody.
func TestASearchOfStreams(t *testing.T) {
	for name, c := range map[string]struct {
		groups, pending string
		found           int
		fails           bool
	}{
		"one that holds":                     {oneGroup, oneTaken, 1, false},
		"a group of which nothing is taken":  {strings.Replace(oneGroup, ":1", ":0", 1), oneTaken, 0, false},
		"taken entries that are gone since":  {oneGroup, "*4\r\n:0\r\n$-1\r\n$-1\r\n*-1", 0, false},
		"a stream that is gone":              {"-ERR no such key", oneTaken, 0, false},
		"a key that is no stream any more":   {"-WRONGTYPE no", oneTaken, 0, false},
		"a stream that this user may not":    {"-NOPERM no", oneTaken, 0, false},
		"a group that is gone":               {oneGroup, "-NOGROUP no", 0, false},
		"an error of the whole server":       {"-LOADING no", oneTaken, 0, true},
		"one of it at the second question":   {oneGroup, "-LOADING no", 0, true},
		"no list of groups":                  {":1", oneTaken, 0, true},
		"a group that is a number":           {"*1\r\n:1", oneTaken, 0, true},
		"a group without a name":             {"*1\r\n*2\r\n$7\r\npending\r\n:1", oneTaken, 0, true},
		"a group that says nothing of these": {"*1\r\n*2\r\n$4\r\nname\r\n$1\r\ng", oneTaken, 0, true},
		"too few words of what is taken":     {oneGroup, "*1\r\n:1", 0, true},
		"a consumer without a count":         {oneGroup, "*4\r\n:1\r\n$3\r\n1-0\r\n$3\r\n1-0\r\n*1\r\n*1\r\n$1\r\nw", 0, true},
		"consumers that are a number":        {oneGroup, "*4\r\n:1\r\n$3\r\n1-0\r\n$3\r\n1-0\r\n:1", 0, true},
	} {
		holders, err := searched(t, onePage, c.groups, c.pending)
		if len(holders) != c.found || (err != nil) != c.fails {
			t.Errorf("%s: %+v, %v; want %d, an error: %t", name, holders, err, c.found, c.fails)
		}
	}
}

// A server that names consumers without an end takes no memory without an end.
func TestASearchOfStreamsIsBounded(t *testing.T) {
	const consumers = 400
	var names strings.Builder
	for i := range consumers {
		name := fmt.Sprintf("%s-%d", strings.Repeat("w", 1000), i)
		fmt.Fprintf(&names, "\r\n*2\r\n$%d\r\n%s\r\n$1\r\n1", len(name), name)
	}
	endless := strings.Replace(onePage, "$1\r\n0", "$1\r\n7", 1)
	holders, err := searched(t, endless, oneGroup, fmt.Sprintf("*4\r\n:1\r\n$3\r\n1-0\r\n$3\r\n1-0\r\n*%d%s", consumers, names.String()))
	if err == nil || holders != nil || !strings.Contains(err.Error(), "more processing lists than fit") {
		t.Errorf("%d holders, %v", len(holders), err)
	}
}
