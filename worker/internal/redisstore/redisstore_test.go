package redisstore_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/worker/internal/redisstore"
	"github.com/quickube/qscaler/worker/internal/redistest"
	"github.com/quickube/qscaler/worker/internal/store"
	"github.com/quickube/qscaler/worker/internal/storetest"
	"github.com/quickube/qscaler/worker/redislist"
)

const (
	queue = "tasks"
	pod   = "pod-0"
)

type onRedis struct {
	storetest.Fixture
	client rueidis.Client
}

func fixture(t testing.TB, server *redistest.Server) onRedis {
	t.Helper()
	client := server.Client()
	push := func(key string) func(string) {
		return func(element string) {
			if err := client.Do(t.Context(), client.B().Lpush().Key(key).Element(element).Build()).Error(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return onRedis{client: client, Fixture: storetest.Fixture{
		Store: redisstore.New(client, queue, pod), Push: push(queue), Hold: push(redislist.Processing(queue, pod)),
		Advance: func(d time.Duration) { <-time.After(d) }, // Redis has no other clock
	}}
}

func (f onRedis) length(t *testing.T, key string) int64 {
	t.Helper()
	n, err := f.client.Do(t.Context(), f.client.B().Llen().Key(key).Build()).AsInt64()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// info reads a number from Redis' INFO.
func (f onRedis) info(t *testing.T, section, name string) (n int64) {
	t.Helper()
	text, err := f.client.Do(t.Context(), f.client.B().Info().Section(section).Build()).ToString()
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ = strings.Cut(text, name+":")
	if _, err := fmt.Sscan(text, &n); err != nil {
		t.Fatalf("no %s in INFO %s: %v", name, section, err)
	}
	return n
}

func TestContract(t *testing.T) {
	storetest.Test(t, func(t *testing.T) storetest.Fixture { return fixture(t, redistest.Start(t)).Fixture })
}

// What somebody else has put among the tasks that wait for their time holds up none of them.
func TestAStrangeMemberIsPromotedAsItIs(t *testing.T) {
	f := fixture(t, redistest.Start(t))
	add := f.client.B().Zadd().Key(redislist.Delayed(queue)).ScoreMember().ScoreMember(1, "no bar").ScoreMember(2, "x|task").Build()
	if err := f.client.Do(t.Context(), add).Error(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	waiting, err := f.client.Do(t.Context(), f.client.B().Lrange().Key(queue).Start(0).Stop(-1).Build()).AsStrSlice()
	if want := []string{"task", "no bar"}; err != nil || !slices.Equal(waiting, want) {
		t.Errorf("there wait %q (%v), want %q", waiting, err, want)
	}
}

// Over a slow line each step costs a round trip: acknowledgements are one, also those that end a uniqueness.
func TestManyAreAcknowledgedInOneStep(t *testing.T) {
	f := fixture(t, redistest.Start(t))
	client := f.client
	const tasks = 500
	unique := func(i int) string { return redislist.Unique(queue, fmt.Sprint(i)) }
	for i := range tasks {
		owner := fmt.Sprint("owner-", i)
		task := redislist.Task{ID: fmt.Sprint("t-", i), Headers: map[string]string{}}
		store.SetUnique(task.Headers, fmt.Sprint(i), owner)
		f.Push(task.Element())
		if i == 7 {
			owner = "another task's by now"
		}
		if err := client.Do(t.Context(), client.B().Set().Key(unique(i)).Value(owner).Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	items, err := f.Reserve(t.Context(), tasks, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Done(t.Context(), store.Item{Element: "none"}); err != nil { // so that Redis has the script
		t.Fatal(err)
	}
	if err := client.Do(t.Context(), client.B().ConfigResetstat().Build()).Error(); err != nil {
		t.Fatal(err)
	}
	if was, err := f.Done(t.Context(), items...); err != nil || slices.Contains(was, false) {
		t.Fatalf("acknowledging says %v, %v", was, err)
	}
	stats, err := client.Do(t.Context(), client.B().Info().Section("commandstats").Build()).ToString()
	if err != nil || !strings.Contains(stats, "cmdstat_evalsha:calls=1,") {
		t.Errorf("not one script for %d tasks (%v):\n%s", tasks, err, stats)
	}
	keys, err := client.Do(t.Context(), client.B().Keys().Pattern(redislist.Unique(queue, "*")).Build()).AsStrSlice()
	if err != nil || !slices.Equal(keys, []string{unique(7)}) {
		t.Errorf("the keys %q stand (%v), want only another task's", keys, err)
	}
}

// hostile are payloads that look like envelopes, or nearly so.
var hostile = []string{
	"", "plain", "\x00\xff\n\r", "qscaler:1:", "qscaler:1:x:0:0:0::0:", "qscaler:1:x:0:0:0::0:payload",
	"qscaler:1:x:0:0:0:r.1:0:payload", "qscaler:1:x:0:0:0::9:short", "qscaler:1:x:0:0:0::5:short", `qscaler:1:x:0:0:0::9:{"k":"v"}rest`,
	"qscaler:1::0:0:0::0:no id", "qscaler:1:a b:0:0:0::0:a space", "qscaler:1:x:-1:0:0::0:", "qscaler:1:x:+1:0:0::0:",
	"qscaler:1:x:9999999999:0:0::0:too many digits", "qscaler:1:x:0:9999999999:0::0:", "qscaler:1:x:0:0:9999999999999999::0:",
	"qscaler:1:x:0:0:0::9999999999:", "qscaler:1:x:000000001:0:0::0:zeros", "qscaler:1:x:0:0:999999999999999::0:in the year 33658", "qscaler:1:x:0:999999999:0:r:0:most losses",
	"qscaler:1:x:0:1:0:_r.1:0:ahead", "qscaler:1:x:0:1:0:-r.1:0:unbegun",
	"qscaler:1:\u00e9:0:0:0::0:no ASCII", "qscaler:1:x:0:0:0:r r:0:", "qscaler:2:x:0:0:0::0:", " qscaler:1:x:0:0:0::0:",
	"qscaler:1:" + string(make([]byte, 200)) + ":0:0:0::0:", "qscaler:1:x:0:0:0::0:\x00\x00", "qscaler:1:x:0:0:0::01:xy",
}

// Whatever it begins with, what is known of a long element by its beginning is what all of it says.
func FuzzBeginning(f *testing.F) {
	for _, payload := range hostile {
		f.Add(payload)
	}
	client := redistest.Start(f).Client()
	s := redisstore.New(client, queue, pod)
	filler := strings.Repeat("x", store.StepBytes)
	f.Fuzz(func(t *testing.T, beginning string) {
		if err := client.Do(t.Context(), client.B().Lpush().Key(queue).Element(beginning+filler).Build()).Error(); err != nil {
			t.Fatal(err)
		}
		items, err := s.Reserve(t.Context(), 1, false)
		if err != nil || len(items) != 1 {
			t.Fatalf("reserving %q: %d, %v", beginning, len(items), err)
		}
		item := items[0]
		rest, ok, err := s.Fetch(t.Context(), item, len(item.Element))
		if err != nil || !ok {
			t.Fatalf("fetching it says %t, %v", ok, err)
		}
		whole := store.Parsed(item.Element + rest)
		if whole.Size != item.Size || !strings.HasSuffix(item.Element+rest, filler) {
			t.Errorf("%q has %d bytes, and is said to have %d", beginning, whole.Size, item.Size)
		}
		if !strings.HasPrefix(whole.Payload, item.Payload) {
			t.Errorf("of the payload of %q there are %d bytes which are not its own", beginning, len(item.Payload))
		}
		if item.Payload == "" { // where the payload has not begun, nor have the headers ended
			whole.Headers = nil
		}
		item.Payload, whole.Payload = "", ""
		if !reflect.DeepEqual(item.Task, whole.Task) {
			t.Errorf("%q is %+v by its beginning, and %+v", beginning, item.Task, whole.Task)
		}
		if was, err := s.Done(t.Context(), item); err != nil || !was[0] {
			t.Errorf("acknowledging it says %v, %v", was, err)
		}
	})
}

// Whatever is pushed, the scripts and the Go code read the same in it, and the payload is whole.
func FuzzScriptsAndGoAgree(f *testing.F) {
	for _, payload := range hostile {
		f.Add(payload)
	}
	client := redistest.Start(f).Client()
	s := redisstore.New(client, queue, pod)
	f.Fuzz(func(t *testing.T, element string) {
		if err := client.Do(t.Context(), client.B().Lpush().Key(queue).Element(element).Build()).Error(); err != nil {
			t.Fatal(err)
		}
		items, err := s.Reserve(t.Context(), 1, false)
		if err != nil || len(items) != 1 {
			t.Fatalf("reserving %q: %v, %v", element, items, err)
		}
		got, want := items[0].Task, redislist.Parse(element)
		if want.ID == "" { // a payload and nothing else: it got an envelope
			if got.Payload != element || got.ID == "" || got.Failed+got.Crashed > 0 || got.Headers != nil {
				t.Errorf("the payload %q was read as %+v", element, got)
			}
		} else {
			crashed := want.Crashed
			if want.Reservation != "" && want.Reservation[0] != redislist.Ahead[0] && want.Reservation[0] != redislist.Unbegun[0] {
				const most = 999999999 // as many as an envelope can have
				crashed = min(crashed+1, most)
			}
			if got.ID != want.ID || got.Payload != want.Payload || got.Failed != want.Failed || got.Crashed != crashed || !maps.Equal(got.Headers, want.Headers) {
				t.Errorf("%q was read as %+v by the scripts and as %+v by Go", element, got, want)
			}
			// Not as Parse has it, which would hide what the script has left.
			if first, err := strconv.ParseInt(strings.Split(items[0].Element, ":")[5], 10, 64); first != want.First.UnixMilli() {
				t.Errorf("%q was stamped as %q (%v), and is of %s", element, items[0].Element, err, want.First)
			}
		}
		if was, err := s.Return(t.Context(), items[0]); err != nil || !was[0] {
			t.Errorf("returning it says %v, %v", was, err)
		}
		waits, err := client.Do(t.Context(), client.B().Rpop().Key(queue).Build()).ToString()
		if err != nil || waits != store.Returned(items[0]).Element {
			t.Errorf("returned it is %q (%v), want %q", waits, err, store.Returned(items[0]).Element)
		}
	})
}
