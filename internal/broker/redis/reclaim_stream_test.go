package redis

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
)

// fieldsOf are the fields of the entries of a stream, in order.
func fieldsOf(t *testing.T, do doer, key string) (all []map[string]string) {
	t.Helper()
	entries, err := do("XRANGE", key, "-", "+").AsXRange()
	if err != nil && !rueidis.IsRedisNil(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.FieldValues)
	}
	return all
}

// What a dead worker has taken comes to whoever asks for new entries, once each. Redis gives an entry that was taken to
// nobody else by itself.
func TestReclaimOfAStream(t *testing.T) {
	do, try, driver := ofStreams(t)
	d := driver.(broker.Reclaimer)
	for i := range 5 {
		do("XADD", "q", "*", "task", fmt.Sprint(i), "more", "x")
	}
	ids := take(try, "q", "gone", 3)
	take(try, "q", "alive", 1)
	do("XDEL", "q", ids[2]) // a message that somebody has deleted is no task any more
	name := broker.NameOf("q", testGroup)
	if held, err := d.Held(t.Context(), name, []string{"gone", "alive", "nobody"}); err != nil || !cmp.Equal(held, []int64{3, 1, 0}) {
		t.Errorf("Held = %v, %v", held, err)
	}
	holders, err := d.Holders(t.Context())
	if want := []broker.Holder{{Queues: []string{name}, Worker: "alive"}, {Queues: []string{name}, Worker: "gone"}}; err != nil || !cmp.Equal(want, holders) {
		t.Errorf("Holders: %+v, %v", holders, err)
	}
	if moved, err := d.Reclaim(t.Context(), claim, name, "gone"); moved != 0 || broker.ReasonOf(err) != broker.ReasonOtherOperator {
		t.Errorf("without the claim: %d, %v", moved, err)
	}
	if moved, err := d.Reclaim(t.Context(), claimed(t, d), name, "gone"); moved != 2 || err != nil {
		t.Fatalf("Reclaim = %d, %v; want 2", moved, err)
	}
	var tasks []map[string]string
	taken, err := do("XREADGROUP", "GROUP", testGroup, "next", "COUNT", "9", "STREAMS", "q", ">").AsXRead()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range taken["q"] {
		tasks = append(tasks, e.FieldValues)
	}
	want := []map[string]string{
		{"task": "4", "more": "x"},
		{"task": "0", "more": "x", deliveriesField: "1"},
		{"task": "1", "more": "x", deliveriesField: "1"},
	}
	if diff := cmp.Diff(want, tasks); diff != "" {
		t.Errorf("taken by the next worker (-want +got):\n%s", diff)
	}
	got := depths(t, driver, broker.Query{Queue: "q", Group: testGroup, Workers: workers("alive", "next", "gone")})[0].Depth
	if diff := cmp.Diff(broker.Depth{Waiting: broker.CountOf(0), InFlight: broker.CountOf(4), Held: map[string]int64{"alive": 1, "next": 3, "gone": 0}}, got); diff != "" {
		t.Errorf("depth (-want +got):\n%s", diff)
	}
	if consumers, err := do("XINFO", "CONSUMERS", "q", testGroup).ToArray(); err != nil || len(consumers) != 2 {
		t.Errorf("%d consumers are left, %v; want those that live", len(consumers), err)
	}
	for _, of := range []string{broker.NameOf("none", testGroup), broker.NameOf("q", "none"), name} {
		if moved, err := d.Reclaim(t.Context(), claim, of, "gone"); moved != 0 || err != nil {
			t.Errorf("of %q again: %d, %v", of, moved, err)
		}
	}
}

// A task that ends each of its workers goes round for a bounded time. Then it is a dead letter, with all its fields.
func TestATaskThatKillsItsWorkers(t *testing.T) {
	do, try, driver := ofStreams(t)
	d := driver.(broker.Reclaimer)
	c := claimed(t, d)
	do("XADD", "q", "*", "task", "poison")
	rounds := 0
	for ; len(take(try, "q", fmt.Sprint("w", rounds), 1)) == 1; rounds++ {
		if rounds > 100 {
			t.Fatal("it goes round without an end")
		}
		if moved, err := d.Reclaim(t.Context(), c, broker.NameOf("q", testGroup), fmt.Sprint("w", rounds)); moved != 1 || err != nil {
			t.Fatalf("Reclaim = %d, %v", moved, err)
		}
	}
	if fmt.Sprint(rounds) != mostDeliveries {
		t.Errorf("it was delivered %d times, want %s", rounds, mostDeliveries)
	}
	if diff := cmp.Diff([]map[string]string{{"task": "poison", deliveriesField: mostDeliveries}}, fieldsOf(t, do, "{q}:dead")); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
}

// Where several groups read a stream, a new entry would come to all of them: nothing is moved, and the error says what
// helps. Entries stay with the dead consumer, for whoever claims them.
func TestReclaimOfAStreamWithSeveralGroups(t *testing.T) {
	do, try, driver := ofStreams(t)
	d := driver.(broker.Reclaimer)
	do("XADD", "q", "*", "task", "1")
	take(try, "q", "gone", 1)
	do("XGROUP", "CREATE", "q", "other", "0")
	moved, err := d.Reclaim(t.Context(), claimed(t, d), broker.NameOf("q", testGroup), "gone")
	if moved != 0 || err == nil || !strings.Contains(err.Error(), "XAUTOCLAIM") {
		t.Errorf("Reclaim = %d, %v", moved, err)
	}
	if n := len(fieldsOf(t, do, "q")); n != 1 {
		t.Errorf("the stream has %d entries, want the one", n)
	}
	if got := depths(t, driver, broker.Query{Queue: "q", Group: testGroup})[0].Depth.Waiting; got != broker.CountOf(1) {
		t.Errorf("waiting %+v, want the one that can be claimed", got)
	}
}

// Large entries move in steps, also where the memory is full: it may be full of tasks.
func TestReclaimOfAStreamInSteps(t *testing.T) {
	do, try, driver := ofStreams(t)
	d := driver.(broker.Reclaimer)
	const tasks = 8
	for i := range tasks {
		do("XADD", "q", "*", "task", fmt.Sprint(i), "x", strings.Repeat("x", 300_000))
	}
	take(try, "q", "gone", tasks)
	c, name := claimed(t, d), broker.NameOf("q", testGroup)
	do("CONFIG", "SET", "maxmemory", "1")
	do("CONFIG", "RESETSTAT")
	if moved, err := d.Reclaim(t.Context(), c, name, "gone"); moved != tasks || err != nil {
		t.Errorf("Reclaim = %d, %v", moved, err)
	}
	stats, _ := do("INFO", "commandstats").ToString()
	if !strings.Contains(stats, "cmdstat_eval:calls=2,") {
		t.Errorf("it took another number of steps than 2:\n%s", stats)
	}
	for i, fields := range fieldsOf(t, do, "q") {
		if fields["task"] != fmt.Sprint(i) {
			t.Errorf("entry %d is %s", i, fields["task"])
		}
	}
}

// A script of Redis cannot copy an entry with very many fields. Such entries stay and are told of, and those behind them
// return, however many are in the way.
func TestReclaimOfAStreamPassesWideEntriesOver(t *testing.T) {
	do, try, driver := ofStreams(t)
	d := driver.(broker.Reclaimer)
	const wide = 101 // more than one step looks at
	entry := []string{"XADD", "q", "*"}
	for range 4100 {
		entry = append(entry, "f", "v")
	}
	for range wide {
		do(entry...)
	}
	do("XADD", "q", "*", "task", "1")
	take(try, "q", "gone", wide+1)
	moved, err := d.Reclaim(t.Context(), claimed(t, d), broker.NameOf("q", testGroup), "gone")
	if moved != 1 || err == nil || !strings.Contains(err.Error(), fmt.Sprint(wide, " entries")) {
		t.Errorf("Reclaim = %d, %v; want the one that can be moved, and an error that counts the others", moved, err)
	}
	if held, err := d.Held(t.Context(), broker.NameOf("q", testGroup), []string{"gone"}); err != nil || !cmp.Equal(held, []int64{wide}) {
		t.Errorf("Held = %v, %v; want those that cannot be moved", held, err)
	}
	all := fieldsOf(t, do, "q")
	if diff := cmp.Diff(map[string]string{"task": "1", deliveriesField: "1"}, all[len(all)-1]); len(all) != wide+1 || diff != "" {
		t.Errorf("of %d entries, the last (-want +got):\n%s", len(all), diff)
	}
}
