package brokertest

import (
	"fmt"
	"hash/fnv"
	"slices"
	"testing"

	"github.com/quickube/qscaler/internal/broker"
)

// worker is that of a pod. A driver that takes one of its names for another finds nobody.
func worker(pod string) broker.Worker {
	h := fnv.New32a()
	_, _ = h.Write([]byte(pod))
	n := h.Sum32()
	return broker.Worker{
		PodName: pod, HostName: "host-of-" + pod,
		PodIP: fmt.Sprintf("127.%d.%d.%d", 1+n>>16%254, n>>8%256, 1+n%254), // not 127.0.0.1, which is everybody's
	}
}

// apart: what is answered of one queue is that queue's, and of one worker that worker's, in whatever order they are asked
// for.
func apart(t *testing.T, h Harness) {
	s := h.Start(t)
	d := open(t, h, s.Settings())
	together(s, func() {
		s.Push("a", 7)
		s.Push("b", 9)
		s.Push("waits", 3)
		h.declare(s, "never-seen")
		s.Take("a", worker("w1"), 2)
		s.Take("b", worker("w2"), 3)
		s.Take("b", worker("w1"), 1)
	})
	asked := []struct {
		query             broker.Query
		waiting, inFlight int64
		held              map[string]int64
	}{
		{h.query("a", "w1"), 5, 2, map[string]int64{"w1": 2}},
		{h.query("never-seen", "w3"), 0, 0, map[string]int64{"w3": 0}},
		{h.query("b", "w2", "w3", "w1"), 5, 4, map[string]int64{"w1": 1, "w2": 3, "w3": 0}},
		{h.query("waits", "w1", "w2"), 3, 0, map[string]int64{"w1": 0, "w2": 0}},
	}
	for _, way := range []string{"in one order", "in the other"} {
		var queries []broker.Query
		for _, a := range asked {
			queries = append(queries, a.query)
		}
		answers, err := d.Depths(t.Context(), queries)
		if err != nil || len(answers) != len(asked) {
			t.Fatalf("%s: %+v, %v; want %d answers", way, answers, err, len(asked))
		}
		for i, a := range asked {
			if answers[i].Err != nil {
				t.Errorf("%s, of %s: %v", way, a.query.Queue, answers[i].Err)
				continue
			}
			t.Run(way+", "+a.query.Queue, func(t *testing.T) {
				check(t, h, answers[i].Depth, a.waiting, a.inFlight, a.held)
			})
		}
		slices.Reverse(asked)
		for _, a := range asked {
			slices.Reverse(a.query.Workers)
		}
	}
}

// alike: where a driver cannot tell who holds a message, it says nothing of those who may. One that tells them by another
// name answers as ever.
func alike(t *testing.T, h Harness) {
	s := h.Start(t)
	d := open(t, h, s.Settings())
	together(s, func() {
		s.Push("q", 5)
		s.Take("q", worker("busy"), 2)
	})
	one, other, third := worker("busy"), worker("idle"), worker("third")
	with := func(w broker.Worker, host, ip string) broker.Worker {
		w.HostName, w.PodIP = host, ip
		return w
	}
	for name, workers := range map[string][]broker.Worker{
		"their host names and addresses are not known": {with(other, "", ""), with(one, "", ""), with(third, "", "")},
		"only their addresses are known":               {with(other, "", other.PodIP), with(one, "", one.PodIP), with(third, "", third.PodIP)},
		"only their host names are known":              {with(other, other.HostName, ""), with(one, one.HostName, ""), with(third, third.HostName, "")},
		"two have one host name":                       {with(other, one.HostName, other.PodIP), one, third},
		"two have one address":                         {with(other, other.HostName, one.PodIP), one, third},
		"two have one host name and address":           {with(other, one.HostName, one.PodIP), one, third},
	} {
		for range 2 {
			got := depth(t, d, broker.Query{Queue: "q", Group: h.Group, Workers: workers})
			for pod, n := range got.Held {
				if want := map[string]int64{one.PodName: 2}[pod]; n != want {
					t.Errorf("%s: %s holds %d, want %d, or nothing of it", name, pod, n, want)
				}
			}
			if got.Waiting != broker.CountOf(3) || (got.InFlight.Known && got.InFlight.N != 2) {
				t.Errorf("%s: %+v; there are 3 waiting and 2 in flight", name, got)
			}
			slices.Reverse(workers)
		}
	}
}
