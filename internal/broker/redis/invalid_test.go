package redis

import (
	"context"
	"strings"
	"testing"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
	"github.com/quickube/qscaler/worker/redislist"
)

// A queue whose name is that of a key of the layout is not read, whatever is read beside it, and its name and the remedy
// are told.
func TestAQueueThatIsAKeyOfAnother(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	key := redislist.Processing("q", "p1")
	do("LPUSH", key, "1")
	do("LPUSH", "q", "1", "2")
	d := open(t, Config{Address: server.Addr()}, newBell().ring)
	for name, queries := range map[string][]broker.Query{
		"alone":         {{Queue: key}},
		"between":       {{Queue: "q"}, {Queue: key, Workers: workers("p2")}, {Queue: "q", Workers: workers("p1")}},
		"nothing else":  {{Queue: key}, {Queue: redislist.Delayed("q")}, {Queue: redislist.Dead("q")}},
		"the first one": {{Queue: redislist.Operator("c")}, {Queue: "q"}},
	} {
		for i, answer := range depths(t, d, queries...) {
			queue := queries[i].Queue
			if queue == "q" {
				if answer.Err != nil || answer.Depth.Waiting.N != 2 {
					t.Errorf("%s: %+v, want 2 waiting", name, answer)
				}
				continue
			}
			if broker.ReasonOf(answer.Err) != broker.ReasonInvalidQueue || !strings.Contains(answer.Err.Error(), queue) || !strings.Contains(answer.Err.Error(), "another name") {
				t.Errorf("%s: %+v, want that the queue %q is invalid", name, answer, queue)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Depths(ctx, []broker.Query{{Queue: key}}); err == nil {
		t.Error("the server does not answer, and that is not told")
	}
}
