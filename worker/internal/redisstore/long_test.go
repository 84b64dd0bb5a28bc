package redisstore_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/quickube/qscaler/worker/internal/redistest"
	"github.com/quickube/qscaler/worker/internal/store"
	"github.com/quickube/qscaler/worker/redislist"
)

// What a worker has in hand is looked through again and again: its payloads are not sent each time.
func TestAListIsReadWithoutItsPayloads(t *testing.T) {
	f := fixture(t, redistest.Start(t))
	const tasks = 16
	for range tasks {
		f.Hold(strings.Repeat("x", store.StepBytes))
	}
	before := f.info(t, "stats", "total_net_output_bytes")
	pages := 0
	for page := (store.Page{}); pages == 0 || page.Next < page.Length; pages++ {
		var err error
		if page, err = f.Held(t.Context(), page); err != nil {
			t.Fatal(err)
		}
		if n := len(page.Listed); n != 1 {
			t.Errorf("page %d has %d tasks, each as long as a step may be", pages, n)
		}
	}
	if sent := f.info(t, "stats", "total_net_output_bytes") - before; pages != tasks || sent > store.StepBytes {
		t.Errorf("%d tasks came in %d pages and %d bytes", tasks, pages, sent)
	}
}

// Tasks leave the list while its pages are read; what stays is in one of them.
func TestNothingIsLeftOutBetweenPages(t *testing.T) {
	f := fixture(t, redistest.Start(t))
	const tasks, perPage = 40, 8
	for range tasks {
		f.Push(strings.Repeat("x", store.StepBytes/perPage))
	}
	var items []store.Item
	for len(items) < tasks {
		some, err := f.Reserve(t.Context(), tasks, false)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, some...)
	}
	gone, seen := map[string]bool{}, map[string]bool{}
	page := store.Page{}
	for pages := 0; pages == 0 || page.Next < page.Length; pages++ {
		var err error
		if page, err = f.Held(t.Context(), page); err != nil {
			t.Fatal(err)
		}
		for _, l := range page.Listed {
			seen[l.Head] = true
		}
		for _, i := range []int{3 * pages, 3*pages + 1, tasks - 1 - pages} { // old ones and young ones
			if _, err := f.Done(t.Context(), items[i]); err != nil {
				t.Fatal(err)
			}
			gone[items[i].Element] = true
		}
	}
	for i, item := range items {
		if !seen[redislist.Head(item.Element)] && !gone[item.Element] {
			t.Errorf("task %d was never listed", i)
		}
	}
}

// Tasks that are due together come to the queue a few at a time where they are long.
func TestLongTasksAreDueAFewAtATime(t *testing.T) {
	f := fixture(t, redistest.Start(t))
	const tasks, perStep = 10, 4
	for range tasks {
		f.Push(strings.Repeat("x", store.StepBytes/perStep))
	}
	for left := tasks; left > 0; {
		items, err := f.Reserve(t.Context(), tasks, false)
		if err != nil {
			t.Fatal(err)
		}
		left -= len(items)
		for _, item := range items {
			if _, err := f.Retry(t.Context(), store.Waiting{Item: item, For: 0}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for waiting := int64(0); waiting < tasks; {
		next, err := f.Promote(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n := f.length(t, queue)
		if n == waiting || n > waiting+perStep {
			t.Fatalf("%d tasks came at once, want some and at most %d", n-waiting, perStep)
		}
		if waiting = n; (next == 0) != (waiting < tasks) {
			t.Errorf("with %d of %d in the queue the next is due in %s", waiting, tasks, next)
		}
	}
}

// Commands cost Redis more than tasks: it is asked for few of them, however many tasks there are.
func TestManyAreReservedByFewCommands(t *testing.T) {
	f := fixture(t, redistest.Start(t))
	const tasks = 1000
	for i := range tasks {
		f.Push(strconv.Itoa(i))
	}
	before := f.info(t, "stats", "total_commands_processed")
	items, err := f.Reserve(t.Context(), tasks, false)
	if err != nil || len(items) != tasks || items[0].Payload != "0" || items[tasks-1].Payload != strconv.Itoa(tasks-1) {
		t.Fatalf("reserved %d, %v", len(items), err)
	}
	const most = 45
	if n := f.info(t, "stats", "total_commands_processed") - before; n > most {
		t.Errorf("it took %d commands, want %d at most", n, most)
	}
	if waiting, held := f.length(t, queue), f.length(t, redislist.Processing(queue, pod)); waiting != 0 || held != tasks {
		t.Errorf("%d wait and %d are held", waiting, held)
	}
}

// What is reserved together is as long as a step at most, whatever is behind it.
func TestShortTasksBeforeLongOnes(t *testing.T) {
	f := fixture(t, redistest.Start(t))
	for range 4 {
		f.Push("short")
	}
	for range 100 {
		f.Push(strings.Repeat("x", store.StepBytes/2))
	}
	items, err := f.Reserve(t.Context(), 1000, false)
	if err != nil || len(items) != 5 {
		t.Fatalf("reserved %d, %v; want the short ones and one that is long", len(items), err)
	}
}
