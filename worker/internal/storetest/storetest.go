// Package storetest has what every store.Store must do, as tests.
package storetest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quickube/qscaler/worker/internal/store"
	"github.com/quickube/qscaler/worker/redislist"
)

// Fixture is an empty queue, and a worker's share in it.
type Fixture struct {
	store.Store
	// Push pushes an element, as LPUSH does.
	Push func(element string)
	// Hold puts an element into the worker's own list.
	Hold func(element string)
	// Advance lets time pass, as the store has it.
	Advance func(time.Duration)
}

// Test runs the contract, each part on a fixture of its own.
func Test(t *testing.T, fixture func(t *testing.T) Fixture) {
	parts := map[string]func(*testing.T, Fixture){
		"the oldest is reserved first, and stamped": reserved,
		"equal payloads are separate tasks":         alike,
		"a suspect comes alone":                     suspects,
		"what nobody has in hand is adopted once":   adopted,
		"what was never begun is adopted as new":    neverBegun,
		"what is reserved ahead has not crashed":    reservedAhead,
		"what may have ended a worker is begun":     begun,
		"what is put off waits, and is counted":     putOff,
		"each end happens once":                     ends,
		"many are acknowledged, each by itself":     acknowledged,
		"many come to each end, each by itself":     endTogether,
		"a retry waits, and is one failure more":    retried,
		"what is handed back is as it was":          returned,
		"long tasks are reserved a few at a time":   long,
		"a very long one comes without its payload": brief,
		"a very long one is fetched part by part":   fetched,
		"a very long one comes to each end":         briefEnds,
		"one that is just too long comes to an end": justTooLong,
		"what the list holds is known without it":   known,
		"what nobody has in hand is released":       released,
		"taking waits, and not for ever":            taken,
	}
	for name, part := range parts {
		t.Run(name, func(t *testing.T) { part(t, fixture(t)) })
	}
}

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (f Fixture) reserve(t *testing.T, n int) []store.Item {
	t.Helper()
	items, err := f.Reserve(t.Context(), n, false)
	return must(t, items, err)
}

func (f Fixture) listed(t *testing.T) (listed []store.Listed) {
	t.Helper()
	for page := (store.Page{}); ; {
		next, err := f.Held(t.Context(), page)
		page = must(t, next, err)
		listed = append(listed, page.Listed...)
		if page.Next >= page.Length {
			return listed
		}
	}
}

func (f Fixture) held(t *testing.T) (heads []string) {
	t.Helper()
	for _, l := range f.listed(t) {
		heads = append(heads, l.Head)
	}
	return heads
}

// adopt has an element be adopted, wherever it is.
func (f Fixture) adopt(t *testing.T, element string) (item store.Item, ok bool, err error) {
	t.Helper()
	return f.Adopt(t.Context(), store.Listed{Head: redislist.Head(element), Older: math.MaxInt32})
}

func payloads(items []store.Item) []string {
	list := make([]string, len(items))
	for i, item := range items {
		list[i] = item.Payload
	}
	return list
}

// whole has all of an item.
func (f Fixture) whole(t *testing.T, item store.Item) store.Item {
	t.Helper()
	element := item.Element
	for len(element) < item.Size {
		part, ok, err := f.Fetch(t.Context(), item, len(element))
		if err != nil || !ok || part == "" {
			t.Fatalf("fetching says %d bytes, %t, %v", len(part), ok, err)
		}
		element += part
	}
	return store.Parsed(element)
}

func reserved(t *testing.T, f Fixture) {
	for _, payload := range []string{"a", "b", "c"} {
		f.Push(payload)
	}
	items := f.reserve(t, 2)
	if got := payloads(items); !slices.Equal(got, []string{"a", "b"}) {
		t.Fatalf("reserved %q, want a and b", got)
	}
	for _, item := range items {
		if item.ID == "" || item.Reservation == "" || item.Attempt() != 1 || item.First.IsZero() {
			t.Errorf("the item is %+v", item)
		}
	}
	if got, want := f.held(t), []string{items[0].Element, items[1].Element}; !slices.Equal(got, want) {
		t.Errorf("held %q, want %q", got, want)
	}
	if got := payloads(f.reserve(t, 10)); !slices.Equal(got, []string{"c"}) {
		t.Errorf("then %q, want c", got)
	}
	if got := f.reserve(t, 10); len(got) != 0 {
		t.Errorf("an empty queue has %q", payloads(got))
	}
}

func alike(t *testing.T, f Fixture) {
	f.Push("same")
	f.Push("same")
	items := f.reserve(t, 2)
	if items[0].ID == items[1].ID || items[0].Element == items[1].Element {
		t.Fatalf("two tasks are one: %q and %q", items[0].Element, items[1].Element)
	}
	for range 2 { // the second is a repetition whose answer did not arrive
		if _, err := f.Done(t.Context(), items[0]); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.held(t); !slices.Equal(got, []string{items[1].Element}) {
		t.Errorf("held %q, want only the other", got)
	}
}

func suspects(t *testing.T, f Fixture) {
	suspect := redislist.Task{ID: "s", Reservation: "gone.1", Payload: "suspect"}
	for _, element := range []string{"a", suspect.Element(), "b"} {
		f.Push(element)
	}
	for _, want := range []string{"a", "suspect", "b"} {
		items := f.reserve(t, 10)
		if got := payloads(items); !slices.Equal(got, []string{want}) {
			t.Fatalf("reserved %q, want %s alone", got, want)
		}
		if want == "suspect" && (items[0].Crashed != 1 || items[0].Attempt() != 2) {
			t.Errorf("the suspect is %+v", items[0])
		}
	}
}

func adopted(t *testing.T, f Fixture) {
	left := redislist.Task{ID: "x", Failed: 1, Reservation: "gone.1", Payload: "left", Headers: map[string]string{"k": "v"}}
	f.Hold(left.Element())
	f.Hold("raw")
	for element, attempt := range map[string]int{left.Element(): 3, "raw": 1} {
		item, ok, err := f.adopt(t, element)
		if err != nil || !ok || item.Attempt() != attempt || item.Element == element {
			t.Errorf("adopting %q: %+v, %t, %v; want attempt %d", element, item, ok, err, attempt)
		}
		if _, ok, err := f.adopt(t, element); ok || err != nil {
			t.Errorf("adopting %q again: %t, %v", element, ok, err)
		}
	}
	if n := len(f.held(t)); n != 2 {
		t.Errorf("%d are held, want 2", n)
	}
}

// neverBegun has the answers to a reservation and to the adoption after it not arrive.
func neverBegun(t *testing.T, f Fixture) {
	f.Push("task")
	item := f.reserve(t, 1)[0]
	for range 2 {
		again, ok, err := f.adopt(t, item.Element)
		if err != nil || !ok || again.Attempt() != 1 || again.ID != item.ID || again.Element == item.Element {
			t.Fatalf("adopting %q: %+v, %t, %v; want a first attempt at the same task", item.Element, again, ok, err)
		}
		item = again
	}
}

// reservedAhead has the worker end, and its list be reclaimed, as often as it takes.
func reservedAhead(t *testing.T, f Fixture) {
	ahead := redislist.Task{ID: "x", Reservation: redislist.Ahead + "gone.1", Payload: "x"}
	f.Push(ahead.Element())
	f.Push("y")
	items := f.reserve(t, 10)
	if got := payloads(items); !slices.Equal(got, []string{"x"}) || items[0].Crashed != 0 || !items[0].Unbegun() {
		t.Fatalf("reserved %+v, want x alone, unbegun, and no attempt crashed", items)
	}
	if _, err := f.Return(t.Context(), items...); err != nil {
		t.Fatal(err)
	}
	if items = f.reserve(t, 10); len(items) != 1 || items[0].Crashed != 0 || !items[0].Unbegun() {
		t.Fatalf("returned and reserved again it is %+v, want it as it was", items)
	}
	items, err := f.Reserve(t.Context(), 10, true)
	if must(t, items, err); len(items) != 1 || items[0].Reservation[:1] != redislist.Ahead {
		t.Errorf("reserved ahead it is %+v", items)
	}
}

// begun has a task be known as begun before it is.
func begun(t *testing.T, f Fixture) {
	left := redislist.Task{ID: "x", Crashed: 1, Reservation: "gone.1", Payload: "x"}
	f.Hold(left.Element())
	item, ok, err := f.adopt(t, left.Element())
	if err != nil || !ok || item.Crashed != 2 || !item.Unbegun() {
		t.Fatalf("adopted %+v, %t, %v; want two crashed attempts", item, ok, err)
	}
	again, ok, err := f.Begin(t.Context(), item)
	if err != nil || !ok || again.Crashed != 2 || again.Unbegun() || again.Element == item.Element {
		t.Errorf("begun %+v, %t, %v; want another reservation", again, ok, err)
	}
	if got := f.held(t); !slices.Equal(got, []string{again.Element}) {
		t.Errorf("held %q, want %q", got, again.Element)
	}
	if _, ok, err := f.Begin(t.Context(), item); ok || err != nil {
		t.Errorf("beginning it again: %t, %v", ok, err)
	}
}

// putOff has a suspect wait.
func putOff(t *testing.T, f Fixture) {
	f.Push(redislist.Task{ID: "x", Reservation: "gone.1", Payload: "x"}.Element())
	const wait = 100 * time.Millisecond
	for times := range 3 {
		items := f.reserve(t, 1)
		if len(items) != 1 || items[0].Crashed != 1 || items[0].Failed != 0 || !items[0].Unbegun() || items[0].Reservation[1] == '-' {
			t.Fatalf("put off %d times it is %+v", times, items)
		}
		if was, err := one(f.PutOff(t.Context(), store.Waiting{Item: items[0], For: wait})); !was || err != nil {
			t.Fatalf("putting it off says %t, %v", was, err)
		}
		if items := f.reserve(t, 1); len(items) != 0 {
			t.Fatalf("it does not wait: %+v", items)
		}
		f.Advance(wait)
		if _, err := f.Promote(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func ends(t *testing.T, f Fixture) {
	type end func(store.Item) (bool, error)
	for name, end := range map[string]end{
		"done": func(i store.Item) (bool, error) { return one(f.Done(t.Context(), i)) },
		"retry": func(i store.Item) (bool, error) {
			return one(f.Retry(t.Context(), store.Waiting{Item: i, For: time.Hour}))
		},
		"bury": func(i store.Item) (bool, error) {
			return one(f.Bury(t.Context(), store.Burial{Item: i, Letter: store.Letter{Line: "{}"}}))
		},
		"return": func(i store.Item) (bool, error) { return one(f.Return(t.Context(), i)) },
	} {
		f.Push(name)
		item := f.reserve(t, 1)[0]
		for _, want := range []bool{true, false} {
			if was, err := end(item); was != want || err != nil {
				t.Errorf("%s says %t, %v; want %t", name, was, err, want)
			}
		}
		if name == "return" {
			f.reserve(t, 1)
		}
	}
	if n := len(f.held(t)); n != 1 { // the one that was returned and reserved again
		t.Errorf("%d are held, want 1", n)
	}
}

func acknowledged(t *testing.T, f Fixture) {
	for i := range 20 {
		task := redislist.Task{ID: fmt.Sprint("t-", i), Payload: fmt.Sprint("task ", i)}
		if i%2 == 0 {
			task.Headers = map[string]string{}
			store.SetUnique(task.Headers, fmt.Sprint("key-", i), fmt.Sprint("owner-", i))
		}
		f.Push(task.Element())
	}
	items := f.reserve(t, 20)
	gone := map[int]bool{3: true, 6: true}
	for i := range gone {
		if _, err := f.Done(t.Context(), items[i]); err != nil {
			t.Fatal(err)
		}
	}
	was, err := f.Done(t.Context(), items...)
	if err != nil || len(was) != len(items) {
		t.Fatalf("acknowledging %d says %v, %v", len(items), was, err)
	}
	for i, ours := range was {
		if ours == gone[i] {
			t.Errorf("task %d was there: %t", i, ours)
		}
	}
	if n := len(f.held(t)); n != 0 {
		t.Errorf("%d are held, want none", n)
	}
}

// endTogether has some tasks come to one end in one step, of which one is gone and one is very long.
func endTogether(t *testing.T, f Fixture) {
	const tasks, longOne, gone = 6, 2, 4
	payload := veryLong()
	for name, c := range map[string]struct {
		end     func([]store.Item) ([]bool, error)
		waiting int // of them, afterwards
	}{
		"acknowledged": {end: func(items []store.Item) ([]bool, error) { return f.Done(t.Context(), items...) }},
		"returned":     {end: func(items []store.Item) ([]bool, error) { return f.Return(t.Context(), items...) }, waiting: tasks - 1},
		"retried":      {end: func(items []store.Item) ([]bool, error) { return f.Retry(t.Context(), waiting(items)...) }, waiting: tasks - 1},
		"put off":      {end: func(items []store.Item) ([]bool, error) { return f.PutOff(t.Context(), waiting(items)...) }, waiting: tasks - 1},
		"buried": {end: func(items []store.Item) ([]bool, error) {
			burials := make([]store.Burial, len(items))
			for i, item := range items {
				burials[i] = store.Burial{Item: item, Letter: store.Letter{Line: fmt.Sprint("{", i, "}")}}
			}
			burials[longOne].Letter.Field = "field"
			return f.Bury(t.Context(), burials...)
		}},
	} {
		for i := range tasks {
			task := redislist.Task{ID: fmt.Sprint("t-", i), Payload: fmt.Sprint("task ", i)}
			if i == longOne {
				task.Payload = payload
			}
			f.Push(task.Element())
		}
		var items []store.Item
		for len(items) < tasks {
			items = append(items, f.reserve(t, tasks-len(items))...)
		}
		for i := range items {
			items[i].Older = i
		}
		if _, err := f.Done(t.Context(), items[gone]); err != nil {
			t.Fatal(err)
		}
		was, err := c.end(items)
		if want := []bool{true, true, true, true, false, true}; err != nil || !slices.Equal(was, want) {
			t.Errorf("%s, it says %v, %v; want %v", name, was, err, want)
		}
		if n := len(f.held(t)); n != 0 {
			t.Errorf("%s, %d are held, want none", name, n)
		}
		f.Advance(waitOfMany)
		for next := time.Duration(0); next == 0; { // a step is bounded
			if next, err = f.Promote(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		seen := map[string]bool{}
		for again := f.reserve(t, tasks); len(again) > 0; again = f.reserve(t, tasks) {
			for _, item := range again {
				seen[f.whole(t, item).Payload] = true
			}
			if _, err := f.Done(t.Context(), again...); err != nil {
				t.Fatal(err)
			}
		}
		if len(seen) != c.waiting {
			t.Errorf("%s, %d wait, want %d", name, len(seen), c.waiting)
		}
	}
}

const waitOfMany = 50 * time.Millisecond

func waiting(items []store.Item) []store.Waiting {
	waits := make([]store.Waiting, len(items))
	for i, item := range items {
		waits[i] = store.Waiting{Item: item, For: waitOfMany}
	}
	return waits
}

func retried(t *testing.T, f Fixture) {
	f.Push("task")
	item := f.reserve(t, 1)[0]
	const wait = 200 * time.Millisecond
	if was, err := one(f.Retry(t.Context(), store.Waiting{Item: item, For: wait})); !was || err != nil {
		t.Fatalf("retrying says %t, %v", was, err)
	}
	if items := f.reserve(t, 1); len(items) != 0 {
		t.Fatalf("it does not wait: %+v", items)
	}
	f.Advance(wait)
	if _, err := f.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	items := f.reserve(t, 1)
	if len(items) != 1 || items[0].ID != item.ID || items[0].Failed != 1 || items[0].Crashed != 0 || items[0].Payload != "task" {
		t.Errorf("tried again, it is %+v", items)
	}
}

func returned(t *testing.T, f Fixture) {
	for _, payload := range []string{"a", "b", "c"} {
		f.Push(payload)
	}
	items := f.reserve(t, 2)
	slices.Reverse(items) // the last is to be the next
	if was, err := f.Return(t.Context(), items...); err != nil || slices.Contains(was, false) {
		t.Fatalf("returning says %v, %v", was, err)
	}
	again := f.reserve(t, 3)
	if got := payloads(again); !slices.Equal(got, []string{"a", "b", "c"}) || again[0].Attempt() != 1 {
		t.Errorf("reserved %q, attempt %d; want a, b and c, attempt 1", got, again[0].Attempt())
	}
}

func taken(t *testing.T, f Fixture) {
	if _, ok, err := f.Take(t.Context(), 10*time.Millisecond); ok || err != nil {
		t.Errorf("an empty queue gives %t, %v", ok, err)
	}
	f.Push("task")
	item, ok, err := f.Take(t.Context(), time.Minute)
	if err != nil || !ok || item.Payload != "task" || item.Reservation == "" {
		t.Errorf("taken %+v, %t, %v", item, ok, err)
	}
}

// long has tasks of which only some go into one step, and one that goes into none.
func long(t *testing.T, f Fixture) {
	const tasks, parts = 8, 4
	payload := strings.Repeat("x", store.StepBytes/parts)
	for range tasks {
		f.Push(payload)
	}
	f.Push(strings.Repeat("y", store.StepBytes+1))
	f.Push("z")
	for left := tasks; left > 0; {
		items := f.reserve(t, tasks)
		if len(items) > min(left, parts) || len(items) == 0 {
			t.Fatalf("%d long tasks were reserved at once, of %d that wait; want some, and %d at most", len(items), left, parts)
		}
		left -= len(items)
	}
	if items := f.reserve(t, tasks); len(items) != 1 || items[0].Payload[0] != 'y' {
		t.Fatalf("reserved %d, want the one that is too long for a step", len(items))
	}
	if got := payloads(f.reserve(t, tasks)); !slices.Equal(got, []string{"z"}) {
		t.Errorf("then %q, want z", got)
	}
}

// known has long elements that differ in their reservation alone, and one that is none of the SDK's.
func known(t *testing.T, f Fixture) {
	payload := strings.Repeat("x", store.StepBytes/3)
	f.Hold(payload)
	for range 8 {
		f.Push(payload)
	}
	want := []string{redislist.Head(payload)}
	for len(want) < 9 {
		for _, item := range f.reserve(t, 8) {
			want = append(want, redislist.Head(item.Element))
		}
	}
	if got := f.held(t); !slices.Equal(got, want) {
		t.Errorf("held %q, want %q", got, want)
	}
	item, ok, err := f.Adopt(t.Context(), store.Listed{Head: want[0], Older: 0})
	if err != nil || !ok || item.Payload != payload {
		t.Fatalf("adopting what has been there from the start: %t, %v", ok, err)
	}
	want[0] = redislist.Head(item.Element) // it stays where it was
	if got := f.held(t); !slices.Equal(got, want) {
		t.Errorf("then held %q, want %q", got, want)
	}
}

// released has what a killed process left, and what this one reserved without hearing of it.
func released(t *testing.T, f Fixture) {
	left := redislist.Task{ID: "left", Reservation: "gone.1", Payload: "left"}
	big := strings.Repeat("x", store.StepBytes)
	f.Hold(left.Element())
	f.Hold(big)
	f.Push("ahead")
	f.Push("never begun")
	if items, err := f.Reserve(t.Context(), 1, true); must(t, items, err) == nil {
		t.Fatal("nothing is reserved")
	}
	f.reserve(t, 1)
	f.Push("in hand")
	inHand := f.reserve(t, 1)[0]
	for listed := f.listed(t)[:4]; len(listed) > 0; {
		n, err := f.Release(t.Context(), listed...)
		if err != nil || n < 1 {
			t.Fatalf("releasing %d says %d, %v", len(listed), n, err)
		}
		listed = listed[:len(listed)-n]
	}
	if got := f.held(t); !slices.Equal(got, []string{inHand.Element}) {
		t.Errorf("held %q, want what is in hand", got)
	}
	if n, err := f.Release(t.Context(), store.Listed{Head: redislist.Head(big), Older: 1}); n != 1 || err != nil {
		t.Errorf("releasing what is gone says %d, %v", n, err)
	}
	items := f.reserve(t, 1)
	if got := payloads(items); !slices.Equal(got, []string{"left"}) || items[0].Crashed != 1 {
		t.Errorf("reserved %+v, want what was left, and a crashed attempt", items)
	}
	for _, want := range []string{big, "ahead", "never begun"} {
		items := f.reserve(t, 1)
		if got := f.whole(t, items[0]); got.Payload != want || got.Crashed != 0 || got.Unbegun() {
			t.Errorf("reserved %.80q, want %.80q as if for the first time", got.Element, want)
		}
	}
}

// one is the answer to a step with one task.
func one(was []bool, err error) (bool, error) { return err == nil && was[0], err }
