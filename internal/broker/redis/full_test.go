package redis

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
	"github.com/quickube/qscaler/worker/redislist"
)

// A Redis whose memory is full refuses what reads in a transaction. Its queues are counted all the same.
func TestAFullRedisIsCounted(t *testing.T) {
	for name, c := range map[string]struct {
		config Config
		group  string
		fill   func(do func(...string))
	}{
		"lists": {Config{}, "", func(do func(...string)) {
			do("LPUSH", "q", "1", "2", "3")
			do("ZADD", redislist.Delayed("q"), "1", "due", "9999999999999", "later")
			do("LPUSH", redislist.Processing("q", "p1"), "a", "b")
		}},
		"sorted sets": {Config{Layout: SortedSets, Due: InSeconds}, "", func(do func(...string)) {
			do("ZADD", "q", "1", "1", "2", "2", "3", "3", "4", "4", "9999999999", "later")
			do("ZADD", redislist.Processing("q", "p1"), "1", "a", "2", "b")
		}},
		"streams": {Config{Layout: Streams}, testGroup, func(do func(...string)) {
			do("XGROUP", "CREATE", "q", testGroup, "0", "MKSTREAM")
			for i := range 6 {
				do("XADD", "q", "*", "task", strconv.Itoa(i))
			}
			do("XREADGROUP", "GROUP", testGroup, "p1", "COUNT", "2", "STREAMS", "q", ">")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			server := redisservertest.Start(t)
			do := plainClient(t, server.Addr())
			c.fill(func(args ...string) { do(args...) })
			do("CONFIG", "SET", "maxmemory", "1")
			c.config.Address = server.Addr()
			d := open(t, c.config, newBell().ring)
			idle := broker.Query{Queue: "idle", Group: c.group, Workers: workers("p1")}
			answers := depths(t, d, broker.Query{Queue: "q", Group: c.group, Workers: workers("p1", "p2")}, idle)
			want := []broker.Answer{
				{Depth: broker.Depth{Waiting: broker.CountOf(4), InFlight: broker.CountOf(2), Held: map[string]int64{"p1": 2, "p2": 0}}},
				{Depth: broker.Depth{Waiting: broker.CountOf(0), InFlight: broker.CountOf(0), Held: map[string]int64{"p1": 0}}},
			}
			if diff := cmp.Diff(want, answers); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The server tells of a key that a script has read, as of each other.
func TestAFullRedisRings(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	do("LPUSH", "q", "1")
	do("CONFIG", "SET", "maxmemory", "1")
	b := newBell()
	d := open(t, Config{Address: server.Addr()}, b.ring)
	depths(t, d, broker.Query{Queue: "q", Workers: workers("p1")})
	do("RPOP", "q")
	b.await(t, "q")
}

func TestAQueueOfAFullRedisFailsByItself(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	do("LPUSH", "q", "1")
	do("SET", redislist.Processing("other", "p1"), "not a list")
	do("CONFIG", "SET", "maxmemory", "1")
	d := open(t, Config{Address: server.Addr()}, newBell().ring)
	answers := depths(t, d, broker.Query{Queue: "other", Workers: workers("p1")}, broker.Query{Queue: "q", Workers: workers("p1")})
	if err := answers[0].Err; broker.ReasonOf(err) != broker.ReasonWrongType || !strings.Contains(err.Error(), redislist.Processing("other", "p1")) {
		t.Errorf("the answer of a key of another type is %v", err)
	}
	if answers[1].Err != nil || answers[1].Depth.Waiting != broker.CountOf(1) {
		t.Errorf("the other queue has %+v", answers[1])
	}
}

// A user who may run no script counts until the memory is full, and is told what is missing then.
func TestAFullRedisNeedsTheRightToRunAScript(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	do("LPUSH", "q", "1")
	do("ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@connection", "-@dangerous", "+llen", "+zcount", "+multi", "+exec")
	d := open(t, Config{Address: server.Addr(), Username: "reader", Password: broker.NewSecret("secret")}, newBell().ring)
	query := broker.Query{Queue: "q", Workers: workers("p1")}
	if err := depths(t, d, query)[0].Err; err != nil {
		t.Fatal(err)
	}
	do("CONFIG", "SET", "maxmemory", "1")
	if err := depths(t, d, query)[0].Err; broker.ReasonOf(err) != broker.ReasonPermissionDenied || !strings.Contains(err.Error(), "eval") {
		t.Errorf("the answer is %v", err)
	}
}
