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

func TestReclaimKeepsTheOrder(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	for i := 1; i <= 5; i++ {
		do("LPUSH", "q", strconv.Itoa(i))
	}
	for range 3 { // 1, 2 and 3 are in flight
		do("LMOVE", "q", redislist.Processing("q", "p1"), "RIGHT", "LEFT")
	}
	d := open(t, Config{Address: server.Addr()}, newBell().ring).(broker.Reclaimer)
	holders, err := d.Holders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := []broker.Holder{{Queues: []string{"{q}", "q"}, Worker: "p1"}}; !cmp.Equal(want, holders) {
		t.Errorf("Holders (-want +got):\n%s", cmp.Diff(want, holders))
	}
	moved, err := d.Reclaim(t.Context(), claimed(t, d), "q", "p1")
	if err != nil || moved != 3 {
		t.Fatalf("Reclaim = %d, %v; want 3", moved, err)
	}
	var order []string
	for range 5 {
		task, _ := do("RPOP", "q").ToString()
		order = append(order, task)
	}
	if diff := cmp.Diff([]string{"1", "2", "3", "4", "5"}, order); diff != "" {
		t.Errorf("taken in this order (-want +got):\n%s", diff)
	}
}

// A worker that was at large tasks must not hold up Redis when it is gone, and a memory that is full is full of tasks.
func TestReclaimInSteps(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	payload := strings.Repeat("x", 300_000)
	const tasks = 10
	for i := range tasks {
		do("LPUSH", redislist.Processing("q", "p1"), strconv.Itoa(i)+payload)
	}
	do("CONFIG", "SET", "maxmemory", "1")
	do("CONFIG", "RESETSTAT")
	d := open(t, Config{Address: server.Addr()}, newBell().ring).(broker.Reclaimer)
	moved, err := d.Reclaim(t.Context(), claimed(t, d), "q", "p1")
	if err != nil || moved != tasks {
		t.Fatalf("Reclaim = %d, %v; want %d", moved, err, tasks)
	}
	stats, err := do("INFO", "commandstats").ToString()
	if err != nil {
		t.Fatal(err)
	}
	if want := "cmdstat_eval:calls=4,"; !strings.Contains(stats, want) { // one for the claim; four tasks are more than 1 MiB
		t.Errorf("not %q in\n%s", want, stats)
	}
	for i := range tasks {
		if task, err := do("RPOP", "q").ToString(); err != nil || task != strconv.Itoa(i)+payload {
			t.Errorf("task %d is %.5q (%v)", i, task, err)
		}
	}
}
