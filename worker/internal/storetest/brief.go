package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/quickube/qscaler/worker/internal/store"
	"github.com/quickube/qscaler/worker/redislist"
)

// veryLong is a payload of more than two steps, no part of which is like another.
func veryLong() string {
	var text strings.Builder
	for i := 0; text.Len() < 2*store.StepBytes; i++ {
		text.WriteString(strings.Repeat("x", i))
		text.WriteByte('\n')
	}
	return text.String()
}

// brief has a task be reserved in each way.
func brief(t *testing.T, f Fixture) {
	task := redislist.Task{
		ID: "x", Failed: 2, First: time.UnixMilli(1).UTC(), Payload: veryLong(),
		Headers: map[string]string{"k": strings.Repeat("v", redislist.MaxHeaders-len(`{"k":""}`))},
	}
	check := func(how string, item store.Item) {
		t.Helper()
		if item.ID != "x" || item.Failed != 2 || len(item.Headers["k"]) != len(task.Headers["k"]) || !item.Long() || item.Whole() {
			t.Errorf("%s it is %+.200v", how, item.Task)
		}
		if n := len(item.Element); n > 2*redislist.MaxHeaders {
			t.Errorf("%s, %d bytes of it came", how, n)
		}
		if got := f.whole(t, item); got.Payload != task.Payload {
			t.Errorf("%s, its payload is another", how)
		}
	}
	f.Push(task.Element())
	item := f.reserve(t, 10)[0]
	check("reserved", item)
	item, ok, err := f.adopt(t, item.Element)
	if err != nil || !ok {
		t.Fatalf("adopting it says %t, %v", ok, err)
	}
	check("adopted", item)
	if _, err := f.Return(t.Context(), item); err != nil {
		t.Fatal(err)
	}
	item, ok, err = f.Take(t.Context(), time.Minute)
	if err != nil || !ok {
		t.Fatalf("taking it says %t, %v", ok, err)
	}
	if got := f.whole(t, item); got.Payload != task.Payload || got.Failed != 2 || len(got.Headers["k"]) != len(task.Headers["k"]) {
		t.Errorf("taken it is %+.200v", got.Task)
	}
}

// fetched has a task be fetched beside another like it, and when it is there no more.
func fetched(t *testing.T, f Fixture) {
	payload := veryLong()
	for range 3 {
		f.Push(payload)
	}
	for i := range 3 {
		item := f.reserve(t, 1)[0]
		if got := f.whole(t, item); got.Payload != payload || got.Element[:redislist.HeadSize] != redislist.Head(item.Element) {
			t.Errorf("task %d is another one", i)
		}
		part, ok, err := f.Fetch(t.Context(), item, item.Size-10)
		if err != nil || !ok || part != payload[len(payload)-10:] {
			t.Errorf("the last bytes of task %d are %q, %t, %v", i, part, ok, err)
		}
		if i > 0 {
			continue
		}
		if _, err := f.Done(t.Context(), item); err != nil {
			t.Fatal(err)
		}
		if part, ok, err := f.Fetch(t.Context(), item, 0); part != "" || ok || err != nil {
			t.Errorf("when it is done, fetching it says %d bytes, %t, %v", len(part), ok, err)
		}
	}
}

// briefEnds has tasks of which only the beginning is known come to each end, once.
func briefEnds(t *testing.T, f Fixture) {
	payload := veryLong()
	const wait = 50 * time.Millisecond
	for name, c := range map[string]struct {
		end  func(store.Item) (bool, error)
		want redislist.Task // what waits then; nothing where it has no payload
	}{
		"begun": {end: func(i store.Item) (bool, error) { _, ok, err := f.Begin(t.Context(), i); return ok, err }},
		"done":  {end: func(i store.Item) (bool, error) { return one(f.Done(t.Context(), i)) }},
		"buried": {end: func(i store.Item) (bool, error) {
			return one(f.Bury(t.Context(), store.Burial{Item: i, Letter: store.Letter{Line: "{}", Field: "f"}}))
		}},
		"retried":  {func(i store.Item) (bool, error) { return one(f.Retry(t.Context(), store.Waiting{Item: i, For: wait})) }, redislist.Task{Failed: 5, Payload: payload}},
		"put off":  {func(i store.Item) (bool, error) { return one(f.PutOff(t.Context(), store.Waiting{Item: i, For: wait})) }, redislist.Task{Failed: 3, Crashed: 1, Payload: payload}},
		"returned": {func(i store.Item) (bool, error) { return one(f.Return(t.Context(), i)) }, redislist.Task{Failed: 3, Crashed: 1, Payload: payload}},
	} {
		f.Push(redislist.Task{ID: "x", Failed: 3, Reservation: "gone.1", Payload: payload, First: time.UnixMilli(1)}.Element())
		item := f.reserve(t, 1)[0]
		for _, want := range []bool{true, false} {
			if was, err := c.end(item); was != want || err != nil {
				t.Errorf("%s says %t, %v; want %t", name, was, err, want)
			}
		}
		f.Advance(wait)
		if _, err := f.Promote(t.Context()); err != nil {
			t.Fatal(err)
		}
		items := f.reserve(t, 10)
		if len(items) == 0 && c.want.Payload == "" {
			continue
		}
		if len(items) != 1 || c.want.Payload == "" {
			t.Errorf("%s, %d wait; want one: %t", name, len(items), c.want.Payload != "")
			continue
		}
		if got := f.whole(t, items[0]); got.Payload != payload || got.ID != "x" || got.Failed != c.want.Failed || got.Crashed != c.want.Crashed || !got.Unbegun() && name != "retried" {
			t.Errorf("%s it is %+.100v, want %+.100v", name, got.Task, c.want)
		}
		if _, err := f.Done(t.Context(), items...); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(f.held(t)); n != 1 { // the one that was begun
		t.Errorf("%d are held, want 1", n)
	}
}

// justTooLong has tasks that are too long for one step until their attempt begins, and not from then on.
func justTooLong(t *testing.T, f Fixture) {
	const wait = 50 * time.Millisecond
	for name, end := range map[string]func(store.Item) (bool, error){
		"done": func(i store.Item) (bool, error) { return one(f.Done(t.Context(), i)) },
		"buried": func(i store.Item) (bool, error) {
			return one(f.Bury(t.Context(), store.Burial{Item: i, Letter: store.Letter{Line: "{}", Field: "f"}}))
		},
		"retried":  func(i store.Item) (bool, error) { return one(f.Retry(t.Context(), store.Waiting{Item: i, For: wait})) },
		"returned": func(i store.Item) (bool, error) { return one(f.Return(t.Context(), i)) },
	} {
		begun, payload := f.justTooLong(t)
		if got := f.whole(t, begun); got.Payload != payload {
			t.Errorf("its payload has %d bytes, want %d", len(got.Payload), len(payload))
		}
		if was, err := end(begun); !was || err != nil {
			t.Errorf("%s says %t, %v", name, was, err)
		}
		f.Advance(wait)
		if _, err := f.Promote(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, again := range f.reserve(t, 10) {
			if got := f.whole(t, again); got.Payload != payload || got.Crashed > 0 || got.Failed == 0 { // the attempt has ended, and what was crashed before it counts as failed
				t.Errorf("%s, it has %d bytes, %d attempts failed and %d crashed", name, len(got.Payload), got.Failed, got.Crashed)
			}
			if _, err := f.Done(t.Context(), again); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(f.held(t)); n > 0 {
			t.Errorf("%s, %d are held", name, n)
		}
	}
}

// justTooLong begins a task that was too long by a byte, and is not any more. How long a reservation is, is the store's
// affair, and may change from one to the next.
func (f Fixture) justTooLong(t *testing.T) (begun store.Item, payload string) {
	t.Helper()
	payload = strings.Repeat("x", store.StepBytes)
	const tries = 100
	for range tries {
		f.Push(redislist.Task{ID: "x", Crashed: 1, First: time.UnixMilli(1), Payload: payload}.Element())
		item := f.reserve(t, 1)[0]
		begun, ok, err := f.Begin(t.Context(), item)
		if err != nil || !ok {
			t.Fatalf("beginning it says %t, %v", ok, err)
		}
		if item.Size == store.StepBytes+1 && begun.Size <= store.StepBytes {
			return begun, payload
		}
		if _, err := f.Done(t.Context(), begun); err != nil {
			t.Fatal(err)
		}
		if payload = payload[max(item.Size-store.StepBytes-1, 0):]; item.Size <= store.StepBytes {
			payload += "x"
		}
	}
	t.Fatalf("in %d tries no task was too long by a byte", tries)
	return begun, payload
}
