package redis

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/brokertest"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
)

const testGroup = "workers"

func TestSuiteOfStreams(t *testing.T) {
	brokertest.Run(t, brokertest.Harness{
		Kind:     Kind(),
		Group:    testGroup,
		ByWorker: true,
		InFlight: true,
		Rings:    true,
		Rounds:   1,
		Start: func(t *testing.T) brokertest.Server {
			l := &listServer{t: t, server: redisservertest.Start(t)}
			l.connect("")
			return &streamServer{l}
		},
		SetPassword: func(_ *testing.T, s brokertest.Server, password string) {
			l := s.(*streamServer)
			l.do("CONFIG", "SET", "requirepass", password)
			l.connect(password)
		},
	})
}

// streamServer is a server with streams.
type streamServer struct{ *listServer }

func (s *streamServer) Settings() broker.Settings {
	settings := s.listServer.Settings()
	settings.Own = []byte(`{"layout":"Stream"}`)
	return settings
}

func (s *streamServer) Push(queue string, n int) {
	for i := range n {
		s.do("XADD", queue, "*", "task", strconv.Itoa(i))
	}
}

// Take makes the group as a worker does, before it reads for the first time.
func (s *streamServer) Take(queue string, by broker.Worker, n int) int {
	if n == 0 {
		return 0
	}
	return len(take(s.try, queue, by.PodName, n))
}

// take has a consumer take new entries as XREADGROUP does, and returns their IDs.
func take(try doer, queue, consumer string, n int) (ids []string) {
	try("XGROUP", "CREATE", queue, testGroup, "0", "MKSTREAM")
	entries, err := try("XREADGROUP", "GROUP", testGroup, consumer, "COUNT", strconv.Itoa(n), "STREAMS", queue, ">").AsXRead()
	if err != nil {
		return nil
	}
	for _, e := range entries[queue] {
		ids = append(ids, e.ID)
	}
	return ids
}

func (s *streamServer) Acknowledge(queue string, by broker.Worker, n int) {
	held, err := s.do("XPENDING", queue, testGroup, "-", "+", strconv.Itoa(max(n, 1)), by.PodName).ToArray()
	if err != nil || n == 0 {
		return
	}
	for _, entry := range held {
		fields, _ := entry.ToArray()
		id, _ := fields[0].ToString()
		s.do("XACK", queue, testGroup, id)
	}
}

// ofStreams are a server, somebody at it, and a driver of its streams.
func ofStreams(t *testing.T) (do, try doer, d broker.Driver) {
	t.Helper()
	l := &listServer{t: t, server: redisservertest.Start(t)}
	l.connect("")
	return l.do, l.try, open(t, Config{Address: l.server.Addr(), Layout: Streams}, newBell().ring)
}

// What waits is known however little Redis tells of a group's lag, and is never zero where something waits.
func TestWhatWaitsInAStream(t *testing.T) {
	add := func(do doer, n int) {
		for i := range n {
			do("XADD", "q", fmt.Sprintf("%d-0", i+1), "f", "v")
		}
	}
	for name, c := range map[string]struct {
		make    func(do, try doer)
		noLag   bool
		waiting int64
		held    int64
	}{
		"a stream that is not there": {func(_, _ doer) {}, false, 0, 0},
		"a group that is not there":  {func(do, _ doer) { add(do, 5) }, false, 5, 0},
		"a group that has taken two": {func(do, try doer) { add(do, 5); take(try, "q", "w", 2) }, false, 3, 2},
		"a stream of which all is deleted": {func(do, try doer) {
			add(do, 2)
			take(try, "q", "w", 1)
			do("XDEL", "q", "1-0", "2-0")
		}, false, 0, 1},
		"an entry behind the position was deleted": {func(do, try doer) {
			add(do, 6)
			take(try, "q", "w", 2)
			do("XDEL", "q", "4-0")
		}, true, 3, 2},
		"a group that was made in the middle": {func(do, _ doer) {
			add(do, 9)
			do("XGROUP", "CREATE", "q", testGroup, "4-0")
		}, true, 5, 0},
		"a group that was made at the end": {func(do, _ doer) {
			add(do, 9)
			do("XGROUP", "CREATE", "q", testGroup, "$")
		}, false, 0, 0},
		"a group that was set back to the beginning": {func(do, try doer) {
			add(do, 9)
			take(try, "q", "w", 9)
			do("XGROUP", "SETID", "q", testGroup, "0")
		}, false, 9, 9},
		"one that was trimmed to fewer than wait": {func(do, try doer) {
			add(do, 9)
			take(try, "q", "w", 2)
			do("XTRIM", "q", "MAXLEN", "3")
		}, false, 3, 2},
		"a position behind all IDs": {func(do, _ doer) {
			add(do, 3)
			do("XGROUP", "CREATE", "q", testGroup, "18446744073709551615-18446744073709551615")
		}, false, 0, 0},
		"more than are counted": {func(do, _ doer) {
			add(do, 1500)
			do("XGROUP", "CREATE", "q", testGroup, "10-0")
		}, true, 1500, 0},
		"as many as are counted, of a stream that keeps what is done": {func(do, _ doer) {
			add(do, 1500)
			do("XGROUP", "CREATE", "q", testGroup, "500-0")
		}, true, 1000, 0},
		"long ones, of a stream that keeps what is done": {func(do, _ doer) {
			addLong(do, 20, 100<<10)
			do("XGROUP", "CREATE", "q", testGroup, "12-0")
		}, true, 8, 0},
		"more long ones than are read": {func(do, _ doer) {
			addLong(do, 40, 100<<10)
			do("XGROUP", "CREATE", "q", testGroup, "10-0")
		}, true, 40, 0},
		"one that is longer than what is read, of a stream that keeps what is done": {func(do, _ doer) {
			addLong(do, 3, 2<<20)
			do("XGROUP", "CREATE", "q", testGroup, "2-0")
		}, true, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			do, try, d := ofStreams(t)
			c.make(do, try)
			if groups, err := try("XINFO", "GROUPS", "q").ToArray(); err == nil && len(groups) == 1 {
				fields, _ := groups[0].AsMap()
				if lag := fields["lag"]; c.noLag && !lag.IsNil() {
					t.Errorf("Redis tells a lag, %v: the test tests little", lag)
				}
			}
			got := depths(t, d, broker.Query{Queue: "q", Group: testGroup, Workers: workers("w", "idle")})[0]
			want := broker.Answer{Depth: broker.Depth{
				Waiting: broker.CountOf(c.waiting), InFlight: broker.CountOf(c.held), Held: map[string]int64{"w": c.held, "idle": 0},
			}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("depth (-want +got):\n%s", diff)
			}
		})
	}
}

// addLong adds so many entries of so many bytes.
func addLong(do doer, n, bytes int) {
	for i := range n {
		do("XADD", "q", fmt.Sprintf("%d-0", i+1), "f", strings.Repeat("x", bytes))
	}
}

// Of entries that are long, few are read at a time, however many wait and however short the first ones are: Redis serves
// nobody else meanwhile, and has them in its memory twice.
func TestFewLongEntriesAreReadAtATime(t *testing.T) {
	do, _, d := ofStreams(t)
	const short, long, bytes = 20, 300, 1 << 20
	for i := range short {
		do("XADD", "q", fmt.Sprintf("0-%d", i+1), "f", "v")
	}
	addLong(do, long, bytes)
	do("XGROUP", "CREATE", "q", testGroup, "0-2") // in the middle: Redis tells no lag
	peak := func() int64 {
		info, err := do("INFO", "memory").ToString()
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(info, "used_memory_peak:")
		n, err := strconv.ParseInt(strings.TrimSpace(rest[:strings.IndexByte(rest, '\n')]), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := peak()
	answer := depths(t, d, broker.Query{Queue: "q", Group: testGroup})[0]
	if answer.Err != nil || answer.Depth.Waiting != broker.CountOf(short+long) {
		t.Errorf("it reads %+v", answer)
	}
	if took := peak() - before; took > 64*bytes {
		t.Errorf("reading took %d MiB of Redis' memory, want 64 at most", took>>20)
	}
}

// What somebody has taken who is no worker of the query waits to be claimed. Groups are not taken for each other.
func TestWhatOthersHaveTakenOfAStream(t *testing.T) {
	do, try, d := ofStreams(t)
	for range 5 {
		do("XADD", "q", "*", "f", "v")
	}
	take(try, "q", "gone", 2)
	take(try, "q", "w", 1)
	do("XGROUP", "CREATE", "q", "other", "0")
	answers := depths(t, d, broker.Query{Queue: "q", Group: testGroup, Workers: workers("w")}, broker.Query{Queue: "q", Group: "other", Workers: workers("w")})
	want := []broker.Answer{
		{Depth: broker.Depth{Waiting: broker.CountOf(4), InFlight: broker.CountOf(1), Held: map[string]int64{"w": 1}}},
		{Depth: broker.Depth{Waiting: broker.CountOf(5), InFlight: broker.CountOf(0), Held: map[string]int64{"w": 0}}},
	}
	if diff := cmp.Diff(want, answers); diff != "" {
		t.Errorf("depths (-want +got):\n%s", diff)
	}
}

// A key that is no stream, or that the user may not read, fails its own query alone. Scripts that somebody flushes are there
// again at the next read.
func TestOneStreamThatCannotBeRead(t *testing.T) {
	do, _, d := ofStreams(t)
	do("SET", "bad", "x")
	do("XADD", "q", "*", "f", "v")
	for range 2 {
		answers := depths(t, d, broker.Query{Queue: "bad", Group: testGroup}, broker.Query{Queue: "q", Group: testGroup})
		if err := answers[0].Err; broker.ReasonOf(err) != broker.ReasonWrongType || !strings.Contains(err.Error(), `the key "bad" is not a stream`) {
			t.Errorf("the bad one: %v", err)
		}
		if answers[1].Err != nil || answers[1].Depth.Waiting != broker.CountOf(1) {
			t.Errorf("the good one: %+v", answers[1])
		}
		do("SCRIPT", "FLUSH")
	}
}

// The user needs what the documentation says.
func TestRightsToLookAtStreams(t *testing.T) {
	do, try, _ := ofStreams(t)
	address := "" // of the same server
	info, _ := do("CONFIG", "GET", "port").AsStrMap()
	address = "127.0.0.1:" + info["port"]
	rights := redisservertest.Rights(t, "brokers/redis-streams.md", "### Rights", "operator", "mail", "q")
	// Without the third line it counts.
	counting := slices.Index(rights, "+xack") + 1
	do(append([]string{"ACL", "SETUSER", "operator", "on", ">pw"}, rights[:counting]...)...)
	do("XADD", "q", "*", "f", "v")
	do("XADD", "q", "*", "f", "v")
	take(try, "q", "w", 1)
	config := Config{Address: address, Layout: Streams, Username: "operator", Password: broker.NewSecret("pw")}
	d := open(t, config, newBell().ring)
	if ok, why := d.(broker.Pusher).Pushes(); !ok {
		t.Errorf("it does not push: %s", why)
	}
	answers := depths(t, d, broker.Query{Queue: "q", Group: testGroup}, broker.Query{Queue: "forbidden", Group: testGroup})
	if answers[0].Err != nil || answers[0].Depth.Waiting != broker.CountOf(2) {
		t.Errorf("the queue: %+v", answers[0])
	}
	if broker.ReasonOf(answers[1].Err) != broker.ReasonPermissionDenied {
		t.Errorf("another's: %+v", answers[1])
	}
	do(append([]string{"ACL", "SETUSER", "operator"}, rights[counting:]...)...)
	r := d.(broker.Reclaimer)
	if holders, err := r.Holders(t.Context()); err != nil || len(holders) != 1 {
		t.Errorf("Holders: %+v, %v", holders, err)
	}
	if moved, err := r.Reclaim(t.Context(), claimed(t, r), broker.NameOf("q", testGroup), "w"); moved != 1 || err != nil {
		t.Errorf("Reclaim: %d, %v", moved, err)
	}
}

// Numbers that no Redis sends are refused.
func TestNumbersThatNoStreamHas(t *testing.T) {
	for _, reply := range []string{
		"*3\r\n:-1\r\n:0\r\n:0", "*3\r\n:1\r\n:1\r\n:2", "*3\r\n:9223372036854775807\r\n:0\r\n:0", "*2\r\n:1\r\n:0", "*4\r\n:1\r\n:0\r\n:0\r\n:0",
		":1", "*-1", "*3\r\n$1\r\nx\r\n:0\r\n:0", "-ERR no",
	} {
		address := fakeServer(t, func(c []string) string {
			switch c[0] {
			case "HELLO":
				return unknown(c)
			case "EVALSHA":
				return reply
			}
			return "+OK"
		})
		d := open(t, Config{Address: address, Layout: Streams}, newBell().ring)
		answers, err := d.Depths(t.Context(), []broker.Query{{Queue: "q", Group: testGroup, Workers: workers("w")}})
		if err == nil && answers[0].Err == nil {
			t.Errorf("%q is read as %+v", reply, answers[0])
		}
	}
}
