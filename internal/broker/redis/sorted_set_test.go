package redis

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/brokertest"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
	"github.com/quickube/qscaler/worker/redislist"
)

func TestSuiteOfSortedSets(t *testing.T) {
	brokertest.Run(t, brokertest.Harness{
		Kind:     Kind(),
		ByWorker: true,
		InFlight: true,
		Rings:    true,
		Rounds:   1,
		Start: func(t *testing.T) brokertest.Server {
			l := &listServer{t: t, server: redisservertest.Start(t)}
			l.connect("")
			return &setServer{listServer: l}
		},
		SetPassword: func(_ *testing.T, s brokertest.Server, password string) {
			l := s.(*setServer)
			l.do("CONFIG", "SET", "requirepass", password)
			l.connect(password)
		},
	})
}

// setServer is a server with sorted sets.
type setServer struct{ *listServer }

func (s *setServer) Settings() broker.Settings {
	settings := s.listServer.Settings()
	settings.Own = []byte(`{"layout":"SortedSet"}`)
	return settings
}

func (s *setServer) Push(queue string, n int) {
	for range n {
		number, _ := s.do("INCR", "numbers").AsInt64()
		s.do("ZADD", queue, strconv.FormatInt(number, 10), "task "+strconv.FormatInt(number, 10))
	}
}

// takeFromSet is the worker's step of docs/brokers/redis.md.
const takeFromSet = `local t = redis.call('ZPOPMIN', KEYS[1])
if #t == 0 then return 0 end
redis.call('ZADD', KEYS[2], t[2], t[1])
return 1`

func (s *setServer) Take(queue string, by broker.Worker, n int) (taken int) {
	for ; taken < n; taken++ {
		if one, err := s.do("EVAL", takeFromSet, "2", queue, redislist.Processing(queue, by.PodName)).AsInt64(); err != nil || one == 0 {
			break
		}
	}
	return taken
}

func (s *setServer) Acknowledge(queue string, by broker.Worker, n int) {
	if n > 0 {
		s.do("ZPOPMIN", redislist.Processing(queue, by.PodName), strconv.Itoa(n))
	}
}

// Members whose time has not come do not wait for a worker.
func TestMembersThatAreDue(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	for i, at := range []time.Time{past, past.Add(time.Second), future} {
		do("ZADD", "s", strconv.FormatInt(at.Unix(), 10), strconv.Itoa(i))
		do("ZADD", "ms", strconv.FormatInt(at.UnixMilli(), 10), strconv.Itoa(i))
	}
	for _, c := range []struct {
		queue   string
		due     Due
		waiting int64
	}{{"s", "", 3}, {"s", Always, 3}, {"s", InSeconds, 2}, {"ms", InMilliseconds, 2}, {"ms", InSeconds, 0}} {
		d := open(t, Config{Address: server.Addr(), Layout: SortedSets, Due: c.due}, newBell().ring)
		if got := depths(t, d, broker.Query{Queue: c.queue, Workers: workers("w")})[0].Depth.Waiting; got != broker.CountOf(c.waiting) {
			t.Errorf("%s, due %q: %+v, want %d", c.queue, c.due, got, c.waiting)
		}
	}
}

// What a dead worker holds goes back with its score. A member that was added again meanwhile keeps its new one.
func TestReclaimOfASortedSet(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	d := open(t, Config{Address: server.Addr(), Layout: SortedSets}, newBell().ring).(broker.Reclaimer)
	processing := redislist.Processing("q", "gone")
	do("ZADD", processing, "1.5", "a", "7", "b")
	do("ZADD", "q", "3", "b", "2", "c")
	holders, err := d.Holders(t.Context())
	if want := []broker.Holder{{Queues: []string{"{q}", "q"}, Worker: "gone"}}; err != nil || !cmp.Equal(want, holders) {
		t.Errorf("Holders: %+v, %v", holders, err)
	}
	if held, err := d.Held(t.Context(), "q", []string{"gone", "none"}); err != nil || !cmp.Equal(held, []int64{2, 0}) {
		t.Errorf("Held = %v, %v", held, err)
	}
	if moved, err := d.Reclaim(t.Context(), claim, "q", "gone"); moved != 0 || broker.ReasonOf(err) != broker.ReasonOtherOperator {
		t.Errorf("without the claim: %d, %v", moved, err)
	}
	if moved, err := d.Reclaim(t.Context(), claimed(t, d), "q", "gone"); moved != 2 || err != nil {
		t.Fatalf("Reclaim = %d, %v; want 2", moved, err)
	}
	got, err := do("ZRANGE", "q", "0", "-1", "WITHSCORES").AsZScores()
	if err != nil {
		t.Fatal(err)
	}
	var members []string
	for _, m := range got {
		members = append(members, m.Member+" "+strconv.FormatFloat(m.Score, 'g', -1, 64))
	}
	if diff := cmp.Diff([]string{"a 1.5", "c 2", "b 3"}, members); diff != "" {
		t.Errorf("the queue (-want +got):\n%s", diff)
	}
	if n, _ := do("EXISTS", processing).AsInt64(); n != 0 {
		t.Error("the dead worker's set is still there")
	}
}

// A key of another type fails its own query, and is named.
func TestAKeyThatIsNoSortedSet(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	d := open(t, Config{Address: server.Addr(), Layout: SortedSets}, newBell().ring)
	do("SET", "bad", "x")
	do("SET", redislist.Processing("q", "w"), "x")
	answers := depths(t, d, broker.Query{Queue: "bad"}, broker.Query{Queue: "q", Workers: workers("v", "w")}, broker.Query{Queue: "good"})
	for i, key := range []string{"bad", "{q}:processing:w"} {
		want := `the key "` + key + `" is not a sorted set`
		if err := answers[i].Err; broker.ReasonOf(err) != broker.ReasonWrongType || !strings.Contains(err.Error(), want) {
			t.Errorf("answer %d: %v, want %s", i, err, want)
		}
	}
	if answers[2].Err != nil {
		t.Errorf("the good one: %v", answers[2].Err)
	}
}
