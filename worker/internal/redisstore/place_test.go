package redisstore_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/quickube/qscaler/worker/internal/redistest"
	"github.com/quickube/qscaler/worker/internal/store"
)

// A long task is looked for where it is: each look has Redis copy an element.
func TestALongTaskIsFoundAtOnce(t *testing.T) {
	f := fixture(t, redistest.Start(t))
	const tasks = 12
	reserve := func() (items []store.Item) {
		t.Helper()
		for i := range tasks {
			f.Push(strings.Repeat("x", store.StepBytes))
			item, err := f.Reserve(t.Context(), 1, false)
			if err != nil || len(item) != 1 {
				t.Fatalf("reserved %d, %v", len(item), err)
			}
			item[0].Older = i
			items = append(items, item[0])
		}
		return items
	}
	looks := func(what string, want int64, step func() error) {
		t.Helper()
		before := f.calls(t, "lrange")
		if err := step(); err != nil {
			t.Fatal(err)
		}
		if n := f.calls(t, "lrange") - before; n != want {
			t.Errorf("%s takes %d looks, want %d", what, n, want)
		}
	}
	items := reserve()
	youngest, middle := items[tasks-1], items[tasks/2]
	looks("a part", 1, func() error { _, _, err := f.Fetch(t.Context(), youngest, 0); return err })
	looks("a hand-back of the youngest", 1, func() error { _, err := f.Return(t.Context(), youngest); return err })
	looks("a dead letter", 1, func() error {
		_, err := f.Bury(t.Context(), store.Burial{Item: middle, Letter: store.Letter{Line: "{}", Field: "f"}})
		return err
	})
	items[tasks/2+1].Older = 0
	looks("one that is somewhere else", tasks/2+1, func() error { _, err := f.Done(t.Context(), items[tasks/2+1]); return err })
	rest := append(append([]store.Item{}, items[:tasks/2]...), items[tasks/2+2:tasks-1]...)
	for i := range rest {
		rest[i].Older = i
	}
	looks("the acknowledgement of all", int64(len(rest)), func() error { _, err := f.Done(t.Context(), rest...); return err })
}

// calls is how often Redis was asked for a command.
func (f onRedis) calls(t *testing.T, command string) (n int64) {
	t.Helper()
	text, err := f.client.Do(t.Context(), f.client.B().Info().Section("commandstats").Build()).ToString()
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(text, "cmdstat_"+command+":calls=")
	if !found {
		return 0
	}
	if _, err := fmt.Sscan(text[:strings.IndexByte(text, ',')], &n); err != nil {
		t.Fatal(err)
	}
	return n
}
