package redis

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
	"github.com/quickube/qscaler/worker/redislist"
)

// Somebody else's key stands where one of the queue's is to be: the error names that key, and what can be done.
func TestAKeyOfAnotherType(t *testing.T) {
	cases := map[string]struct {
		key     string
		workers []broker.Worker
		kind    string
	}{
		"the queue":                            {"q", nil, "list"},
		"the queue, with workers":              {"q", workers("p1"), "list"},
		"the delayed tasks":                    {redislist.Delayed("q"), nil, "sorted set"},
		"the delayed tasks, with workers":      {redislist.Delayed("q"), workers("p1"), "sorted set"},
		"what the first of two workers holds":  {redislist.Processing("q", "p1"), workers("p1", "p2"), "list"},
		"what the second of two workers holds": {redislist.Processing("q", "p2"), workers("p1", "p2"), "list"},
	}
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	d := open(t, Config{Address: server.Addr()}, newBell().ring)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			do("FLUSHALL")
			do("SET", c.key, "x")
			answers := depths(t, d, broker.Query{Queue: "q", Workers: c.workers}, broker.Query{Queue: "another", Workers: c.workers})
			want := `queue "q": redis at ` + server.Addr() + `: the key "` + c.key + `" is not a ` + c.kind +
				"; rename or delete it, or give the queue another name (WRONGTYPE Operation against a key holding the wrong kind of value)"
			if err := answers[0].Err; err == nil || err.Error() != want || broker.ReasonOf(err) != broker.ReasonWrongType {
				t.Errorf("the queue's answer is %v, want %s", err, want)
			}
			if err := answers[1].Err; err != nil {
				t.Errorf("another queue's answer is %v, want none of it", err)
			}
		})
	}
}

// The same when a dead worker's tasks are to be reclaimed.
func TestAKeyOfAnotherTypeIsNotReclaimed(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	d := open(t, Config{Address: server.Addr()}, newBell().ring).(broker.Reclaimer)
	processing := redislist.Processing("q", "p1")
	for name, set := range map[string]func(){
		"what it holds": func() { do("SET", processing, "x") },
		"the queue":     func() { do("LPUSH", processing, "1"); do("SET", "q", "x") },
	} {
		t.Run(name, func(t *testing.T) {
			do("FLUSHALL")
			set()
			moved, err := d.Reclaim(t.Context(), claimed(t, d), "q", "p1")
			if moved != 0 || broker.ReasonOf(err) != broker.ReasonWrongType ||
				!strings.Contains(err.Error(), `the key "`+processing+`" or the key "q" is not a list; rename or delete it`) {
				t.Errorf("Reclaim = %d, %v; want the keys and the remedy", moved, err)
			}
		})
	}
}

// Whoever may write to the server can make such a key. It holds no tasks, and those of others are counted all the same.
func TestAKeyOfAnotherTypeHoldsNothing(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	d := open(t, Config{Address: server.Addr()}, newBell().ring).(broker.Reclaimer)
	do("SET", redislist.Processing("q", "odd"), "x")
	do("LPUSH", redislist.Processing("q", "laptop"), "1", "2")
	held, err := d.Held(t.Context(), "q", []string{"odd", "laptop", "none"})
	if diff := cmp.Diff([]int64{0, 2, 0}, held); diff != "" || err != nil {
		t.Errorf("held (-want +got):\n%s%v", diff, err)
	}
}
