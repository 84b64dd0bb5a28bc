package backlog_test

import (
	"strings"
	"testing"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/worker/redislist"
)

// Without a poll to help: the broken connection itself rings, and the next one is pushed to again.
func TestTheDoorbellOutlivesARestart(t *testing.T) {
	s := startRedis(t)
	d := newDesk(t, backlog.Options{SafetyInterval: slow, PollInterval: slow})
	d.Watch("a", backlog.Watch{Source: sourceAt(s.Addr()), Query: broker.Query{Queue: "q", Workers: workersOf("p")}, Significant: onChange})
	d.await("a", "the first reading", waiting(0))
	for i := range int64(3) {
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		d.await("a", "killed", func(r backlog.Reading) bool { return r.Err != nil })
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.await("a", "back", waiting(i))
		do(t, s, "LPUSH", "q", "x")
		d.await("a", "a push after the restart", waiting(i+1))
	}
}

// A broker whose data is gone is read as what it is. That it fails while it is away is another matter.
func TestARestartWithoutTheDataIsZero(t *testing.T) {
	s := startRedis(t, "--appendonly", "no")
	do(t, s, "RPUSH", "q", "1", "2")
	d := newDesk(t, backlog.Options{SafetyInterval: slow})
	d.Watch("a", backlog.Watch{Source: sourceAt(s.Addr()), Query: broker.Query{Queue: "q"}, Significant: onChange})
	d.await("a", "the first reading", waiting(2))
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if r := d.await("a", "killed", func(r backlog.Reading) bool { return r.Err != nil }); r.Depth.Waiting.N != 2 {
		t.Errorf("while it is away: %+v, want the last good depth", r)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.await("a", "back, and empty", waiting(0))
}

// Our own writes are not pushed to us.
func TestWhatIsReclaimedIsSeen(t *testing.T) {
	s := startRedis(t)
	processing := redislist.Processing("q", "gone")
	d := newDesk(t, backlog.Options{SafetyInterval: slow})
	d.Watch("a", backlog.Watch{Source: sourceAt(s.Addr()), Query: broker.Query{Queue: "q", Workers: workersOf("gone")}, Significant: onChange})
	for i := range int64(3) {
		do(t, s, "LPUSH", processing, "x")
		d.await("a", "in flight", func(r backlog.Reading) bool { return r.Depth.InFlight.N == 1 })
		if err := d.Claim(t.Context(), s.Addr()); err != nil {
			t.Fatal(err)
		}
		if moved, err := d.Reclaim(t.Context(), "a", "gone"); err != nil || moved != 1 {
			t.Fatalf("Reclaim = %d, %v; want 1", moved, err)
		}
		r := d.await("a", "reclaimed", waiting(i+1))
		if r.Depth.InFlight.N != 0 {
			t.Errorf("%+v, want none in flight", r.Depth)
		}
	}
}

// Whose ScalerConfig reclaims nothing has not to allow SCAN, nor to bear it.
func TestNobodyIsSoughtUnasked(t *testing.T) {
	s := startRedis(t)
	d := newDesk(t, backlog.Options{})
	d.Watch("a", backlog.Watch{Source: sourceAt(s.Addr()), Query: broker.Query{Queue: "q"}, Significant: onChange})
	d.await("a", "the first reading", waiting(0))
	d.Read(t.Context(), "a")
	if stats, _ := do(t, s, "INFO", "commandstats").ToString(); strings.Contains(stats, "cmdstat_scan") {
		t.Errorf("the keys were walked without need: %s", stats)
	}
}
