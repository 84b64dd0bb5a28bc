package redis

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
)

// A server that is no Redis, or an evil one, fails its own queues and nothing else. Without the guard most
// of these end the process.
func TestNoServerTakesTheOperatorDown(t *testing.T) {
	replies := map[string]string{
		"a reply too many":              ":1\r\n:2",
		"a good-bye":                    ":1\r\n-ERR idle timeout",
		"a subscription":                ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n:1",
		"the end of one":                ">3\r\n+unsubscribe\r\n$1\r\nc\r\n:1\r\n:1",
		"an endless string":             "$99999999999999\r\n",
		"an endless array":              "*2000000000\r\n",
		"a negative length":             "*-7\r\n",
		"arrays of arrays":              strings.Repeat("*1\r\n", 10000),
		"HTTP":                          "HTTP/1.1 400 Bad Request",
		"nothing":                       "",
		"an array in place of a number": "*1\r\n:1",
		"an odd push":                   ">1\r\n:1\r\n:1",
		"a push of nothing":             ">0\r\n:1",
		"keys that are none":            ">2\r\n$10\r\ninvalidate\r\n*1\r\n:1\r\n:1",
	}
	for name, reply := range replies {
		t.Run(name, func(t *testing.T) {
			address := fakeServer(t, func(c []string) string {
				switch c[0] {
				case "HELLO":
					return "%1\r\n$5\r\nproto\r\n:3"
				case "LLEN":
					return reply
				}
				return "+OK"
			})
			d := open(t, broker.Endpoint{Address: address}, newBell().ring)
			for range 3 { // the first may be answered before what is wrong has come
				ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
				_, err := d.Depths(ctx, []broker.Query{{Queue: "q"}})
				cancel()
				t.Log(err)
			}
		})
	}
}

// The frames are found wherever the network cuts them.
func TestScannerFollowsFrames(t *testing.T) {
	const stream = ":1\r\n+OK\r\n$-1\r\n_\r\n*2\r\n$5\r\na\r\nbc\r\n*1\r\n:3\r\n%1\r\n+k\r\n:1\r\n" +
		">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nq\r\n*0\r\n*-1\r\n$0\r\n\r\n" +
		"*2\r\n:1\r\n>2\r\n$10\r\ninvalidate\r\n_\r\n:2\r\n-ERR no\r\n"
	const want = ":+$_*%>**$*-"
	for size := 1; size <= len(stream); size++ {
		var got []byte
		s := scanner{begins: func(kind byte) error {
			got = append(got, kind)
			return nil
		}}
		for rest := stream; rest != ""; rest = rest[min(size, len(rest)):] {
			if err := s.scan([]byte(rest[:min(size, len(rest))])); err != nil {
				t.Fatalf("in pieces of %d: %v", size, err)
			}
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Fatalf("in pieces of %d (-want +got):\n%s", size, diff)
		}
	}
}
