package redis

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
	"github.com/quickube/qscaler/worker/redislist"
)

// Tasks of dead workers return at each node, in all layouts, under a claim in the slot of the queue; and the search finds
// them.
func TestReclaimInACluster(t *testing.T) {
	c := redisservertest.StartCluster(t, 3, false, neverDead)
	queues := queueOf(c)
	for name, l := range map[string]struct {
		layout Layout
		group  string
		put    func(do doer, queue string)
	}{
		"lists":       {Lists, "", func(do doer, queue string) { do("RPUSH", redislist.Processing(queue, "dead"), "1", "2") }},
		"sorted sets": {SortedSets, "", func(do doer, queue string) { do("ZADD", redislist.Processing(queue, "dead"), "1", "a", "2", "b") }},
		"streams": {Streams, "g", func(do doer, queue string) {
			do("XADD", queue, "*", "f", "1")
			do("XADD", queue, "*", "f", "2")
			do("XGROUP", "CREATE", queue, "g", "0")
			do("XREADGROUP", "GROUP", "g", "dead", "COUNT", "2", "STREAMS", queue, ">")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for i, s := range c.Masters {
				do := plainClient(t, s.Addr())
				do("FLUSHALL")
				l.put(do, queues[i])
			}
			config := inCluster(c.Masters[0])
			config.Layout = l.layout
			d := open(t, config, newBell().ring)
			r := d.(broker.Reclaimer)
			holders, err := r.Holders(t.Context())
			if err != nil || len(holders) != 3 {
				t.Errorf("the holders are %v, %v; want one of each node", holders, err)
			}
			var queries []broker.Query
			for _, q := range queues {
				queries = append(queries, broker.Query{Queue: q, Group: l.group, Workers: workers("dead")})
			}
			depths(t, d, queries...)
			for _, q := range queries {
				if _, err := r.Reclaim(t.Context(), claim, q.Name(), "dead"); broker.ReasonOf(err) != broker.ReasonOtherOperator {
					t.Errorf("without a claim: %v", err)
				}
				if held, err := r.Held(t.Context(), q.Name(), []string{"dead", "idle"}); err != nil || !cmp.Equal(held, []int64{2, 0}) {
					t.Errorf("held %v, %v; want 2 and 0", held, err)
				}
			}
			claimed(t, r)
			for i, q := range queries {
				if moved, err := r.Reclaim(t.Context(), claim, q.Name(), "dead"); err != nil || moved != 2 {
					t.Errorf("node %d: %d returned, %v; want 2", i, moved, err)
				}
			}
			for i, a := range depths(t, d, queries...) {
				if a.Err != nil || a.Depth.Waiting.N != 2 || a.Depth.InFlight.N != 0 {
					t.Errorf("node %d: %+v, want 2 waiting", i, a)
				}
			}
		})
	}
}

// Two operators of one cluster identity never both return tasks, of any queue.
func TestOneOperatorReturnsTasksOfACluster(t *testing.T) {
	c := redisservertest.StartCluster(t, 3, false, neverDead)
	queues := queueOf(c)
	var queries []broker.Query
	for _, q := range queues {
		queries = append(queries, broker.Query{Queue: q})
	}
	ours := open(t, inCluster(c.Masters[0]), newBell().ring).(*cluster)
	theirs := open(t, inCluster(c.Masters[1]), newBell().ring).(*cluster)
	copied := broker.Claim{Cluster: claim.Cluster, Process: "the-copy", Mark: "8"}
	depths(t, ours, queries[:2]...)
	depths(t, theirs, queries...)
	claimed(t, ours)
	reclaims := func(d *cluster, by broker.Claim, queue string) bool {
		node := plainClient(t, c.Owner(redislist.Slot(queue)).Addr())
		node("RPUSH", redislist.Processing(queue, "dead"), "1")
		moved, err := d.Reclaim(t.Context(), by, queue, "dead")
		if (moved == 1) != (err == nil) || (err != nil && broker.ReasonOf(err) != broker.ReasonOtherOperator) {
			t.Errorf("%s of %s: %d moved, %v", queue, by.Process, moved, err)
		}
		node("DEL", redislist.Processing(queue, "dead"))
		return moved == 1
	}
	// The copy takes no queue, also none that we do not read.
	if has, err := theirs.Claim(t.Context(), copied, true); err != nil || has.Process != claim.Process {
		t.Errorf("the claim is of %+v, %v", has, err)
	}
	for i, queue := range queues {
		if got := reclaims(ours, claim, queue); got != (i < 2) {
			t.Errorf("%s: this operator returns: %t", queue, got)
		}
		if reclaims(theirs, copied, queue) {
			t.Errorf("%s: the copy returns, too", queue)
		}
	}
	claimed(t, ours) // a queue that was asked for without being read has a claim from then on
	if !reclaims(ours, claim, queues[2]) {
		t.Error("the third queue is not claimed")
	}
	// The claim for all is another's, as after a failover that has forgotten it. It takes no queue that we have, and says so;
	// we keep none.
	key := redislist.Operator(claim.Cluster)
	plainClient(t, c.Owner(redislist.Slot(key)).Addr())("SET", key, copied.Process+" 8 1", "PX", "30000")
	if has, err := theirs.Claim(t.Context(), copied, true); err != nil || has.Process != claim.Process {
		t.Errorf("the claim is of %+v, %v; want that a queue is ours still", has, err)
	}
	if has, err := ours.Claim(t.Context(), claim, true); err != nil || has.Process != copied.Process {
		t.Errorf("the claim is of %+v, %v; want that all are the copy's", has, err)
	}
	for _, queue := range queues {
		if reclaims(theirs, copied, queue) {
			t.Errorf("%s: the copy returns while the claim of the queue is ours", queue)
		}
		tag := redislist.Operator(claim.Cluster + ":{" + queue + "}")
		plainClient(t, c.Owner(redislist.Slot(queue)).Addr())("DEL", tag) // it expires
	}
	if has, err := theirs.Claim(t.Context(), copied, true); err != nil || has.Process != copied.Process {
		t.Errorf("the claim is of %+v, %v; want the copy", has, err)
	}
	for _, queue := range queues {
		if reclaims(ours, claim, queue) || !reclaims(theirs, copied, queue) {
			t.Errorf("%s: the copy does not return, or this operator does", queue)
		}
	}
}

// The rights that docs/brokers/redis.md lists are enough in a cluster, and those of CLUSTER are needed.
func TestTheRightsInACluster(t *testing.T) {
	c := redisservertest.StartCluster(t, 2, false, neverDead)
	queues := queueOf(c)
	rights := []string{"~" + queues[0], "~{" + queues[0] + "}:*", "~" + queues[1], "~{" + queues[1] + "}:*", "~qscaler:operator:*",
		"+llen", "+zcount", "+multi", "+exec", "+eval", "+lmove", "+scan", "+get", "+set", "+pexpire", "+lrem", "+info", "+config|get", "+client|tracking", "+rpop", "+@connection", "-@dangerous",
		"+cluster|nodes", "+cluster|myid"}
	try := func(rights []string) error {
		for _, s := range c.Masters {
			do := plainClient(t, s.Addr())
			do("ACL", "DELUSER", "operator")
			do(append([]string{"ACL", "SETUSER", "operator", "on", ">pw"}, rights...)...)
		}
		config := inCluster(c.Masters[0])
		config.Username, config.Password = "operator", broker.NewSecret("pw")
		d, err := Open(t.Context(), config, newBell().ring)
		if err != nil {
			return err
		}
		defer d.Close()
		answers := depths(t, d, broker.Query{Queue: queues[0], Workers: workers("p")}, broker.Query{Queue: queues[1]})
		for _, a := range answers {
			if a.Err != nil {
				return a.Err
			}
		}
		r := d.(broker.Reclaimer)
		claimed(t, r)
		for i := range answers {
			if _, err := r.Reclaim(t.Context(), claim, queues[i], "p"); err != nil {
				return err
			}
		}
		_, err = r.Holders(t.Context())
		return err
	}
	if err := try(rights); err != nil {
		t.Error(err)
	}
	for _, lack := range []string{"+cluster|nodes", "+cluster|myid"} {
		without := append(append([]string{}, rights...), "-"+lack[1:])
		if err := try(without); broker.ReasonOf(err) != broker.ReasonPermissionDenied {
			t.Errorf("without %s: %v", lack, err)
		}
	}
}
