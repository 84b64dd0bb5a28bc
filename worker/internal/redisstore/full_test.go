package redisstore_test

import (
	"testing"

	"github.com/quickube/qscaler/worker/internal/redistest"
	"github.com/quickube/qscaler/worker/internal/store"
	"github.com/quickube/qscaler/worker/redislist"
)

// A Redis whose memory is full takes no new tasks. Its workers are those who make room.
func TestAFullRedisIsEmptied(t *testing.T) {
	f := fixture(t, redistest.Start(t))
	const tasks = 8
	for range tasks {
		f.Push("task")
	}
	left := redislist.Task{ID: "left", Reservation: "gone.1", Payload: "left"}.Element()
	f.Hold(left)
	full := f.client.B().ConfigSet().ParameterValue().ParameterValue("maxmemory", "1").Build()
	if err := f.client.Do(t.Context(), full).Error(); err != nil {
		t.Fatal(err)
	}
	push := f.client.B().Lpush().Key(queue).Element("one too many").Build()
	if err := f.client.Do(t.Context(), push).Error(); err == nil {
		t.Fatal("Redis is not full")
	}

	ctx := t.Context()
	suspect, ok, err := f.Adopt(ctx, store.Listed{Head: left})
	if err != nil || !ok {
		t.Fatalf("adopting says %t, %v", ok, err)
	}
	begun, ok, err := f.Begin(ctx, suspect)
	if err != nil || !ok {
		t.Fatalf("beginning says %t, %v", ok, err)
	}
	items, err := f.Reserve(ctx, tasks, false)
	if err != nil || len(items) != tasks {
		t.Fatalf("reserved %d, %v", len(items), err)
	}
	for what, move := range map[string]func() ([]bool, error){
		"a retry":     func() ([]bool, error) { return f.Retry(ctx, store.Waiting{Item: items[0], For: 0}) },
		"putting off": func() ([]bool, error) { return f.PutOff(ctx, store.Waiting{Item: begun, For: 0}) },
		"a dead letter": func() ([]bool, error) {
			return f.Bury(ctx, store.Burial{Item: items[1], Letter: store.Letter{Line: "{}", Field: "f"}})
		},
		"a hand-back": func() ([]bool, error) { return f.Return(ctx, items[2]) },
		"the end":     func() ([]bool, error) { return f.Done(ctx, items[3]) },
	} {
		if was, err := move(); err != nil || !was[0] {
			t.Errorf("%s says %v, %v", what, was, err)
		}
	}
	if _, err := f.Promote(ctx); err != nil {
		t.Errorf("what is due cannot come to the queue: %v", err)
	}
	page, err := f.Held(ctx, store.Page{})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := f.Release(ctx, page.Listed...); n != len(page.Listed) || err != nil {
		t.Errorf("the rest cannot be returned: %d, %v", n, err)
	}
	if n := f.length(t, queue); n != tasks-1 { // less two, and what was left
		t.Errorf("%d tasks wait, want %d", n, tasks-1)
	}
}
