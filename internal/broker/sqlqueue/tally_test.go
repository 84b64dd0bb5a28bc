package sqlqueue

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
)

// row is a row of an answer; a worker of "NULL" is NULL.
type row struct{ queue, kind, worker, number string }

func add(t *Tally, rows ...row) error {
	for _, r := range rows {
		worker := []byte(r.worker)
		if r.worker == "NULL" {
			worker = nil
		}
		if err := t.Add([]byte(r.queue), []byte(r.kind), worker, []byte(r.number)); err != nil {
			return err
		}
	}
	return nil
}

func pod(name, host, ip string) broker.Worker {
	return broker.Worker{PodName: name, HostName: host, PodIP: ip}
}

var withWorkers = Block{CountLimit: 100, Table: &Table{WorkerColumn: "worker"}}

// What the worker column says of who is busy.
func TestHolders(t *testing.T) {
	a, b := pod("pod-a", "host-a", "10.0.0.1"), pod("pod-b", "host-b", "10.0.0.2")
	type counts = map[string]int64
	cases := map[string]struct {
		workers []broker.Worker
		rows    []row // of what is held
		want    counts
	}{
		"nobody":               {[]broker.Worker{a, b}, nil, counts{"pod-a": 0, "pod-b": 0}},
		"a pod name":           {[]broker.Worker{a, b}, []row{{"1", "h", "pod-a", "2"}}, counts{"pod-a": 2, "pod-b": 0}},
		"a host name":          {[]broker.Worker{a, b}, []row{{"1", "h", "host-b", "1"}}, counts{"pod-a": 0, "pod-b": 1}},
		"an address":           {[]broker.Worker{a, b}, []row{{"1", "h", "10.0.0.2", "1"}}, counts{"pod-a": 0, "pod-b": 1}},
		"an address as inet":   {[]broker.Worker{a, b}, []row{{"1", "h", "10.0.0.2/32", "1"}}, counts{"pod-a": 0, "pod-b": 1}},
		"an address in IPv6":   {[]broker.Worker{pod("p", "p", "fd00::1")}, []row{{"1", "h", "FD00:0::1", "1"}}, counts{"p": 1}},
		"IPv4 in IPv6":         {[]broker.Worker{a}, []row{{"1", "h", "::ffff:10.0.0.1", "1"}}, counts{"pod-a": 1}},
		"by two of its names":  {[]broker.Worker{a, b}, []row{{"1", "h", "pod-a", "2"}, {"1", "h", "10.0.0.1", "3"}}, counts{"pod-a": 5, "pod-b": 0}},
		"NULL":                 {[]broker.Worker{a, b}, []row{{"1", "h", "NULL", "1"}, {"1", "h", "pod-b", "1"}}, counts{"pod-b": 1}},
		"an empty name":        {[]broker.Worker{a, b}, []row{{"1", "h", "", "1"}}, counts{}},
		"a stranger":           {[]broker.Worker{a, b}, []row{{"1", "h", "other", "1"}}, counts{"pod-a": 0, "pod-b": 0}},
		"a stranger by name":   {[]broker.Worker{a, pod("pod-b", "", "10.0.0.2")}, []row{{"1", "h", "other", "1"}}, counts{"pod-a": 0}},
		"a stranger by IP":     {[]broker.Worker{a, pod("pod-b", "host-b", "")}, []row{{"1", "h", "10.0.0.3", "1"}}, counts{"pod-a": 0}},
		"busy, and a stranger": {[]broker.Worker{pod("pod-b", "", "")}, []row{{"1", "h", "other", "1"}, {"1", "h", "pod-b", "1"}}, counts{"pod-b": 1}},
		"a name of two":        {[]broker.Worker{a, pod("pod-b", "host-a", ""), pod("c", "c", "")}, []row{{"1", "h", "host-a", "1"}}, counts{"c": 0}},
		"a name of three":      {[]broker.Worker{a, pod("b", "host-a", ""), pod("c", "host-a", "")}, []row{{"1", "h", "host-a", "1"}}, counts{}},
		"part of a name":       {[]broker.Worker{a}, []row{{"1", "h", "pod-a:17", "1"}}, counts{"pod-a": 0}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tally := NewTally([]broker.Query{{Queue: "q", Workers: c.workers}}, withWorkers)
			if err := add(tally, append(c.rows, row{"1", "w", "NULL", "3"}, row{"1", "r", "NULL", "9"})...); err != nil {
				t.Fatal(err)
			}
			got, err := tally.Depth(0)
			want := broker.Depth{Waiting: broker.CountOf(3), InFlight: broker.CountOf(9), Held: c.want}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("depth, %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// Where not all rows were looked at, only who was found is known.
func TestWhatWasNotLookedAtIsUnknown(t *testing.T) {
	q := []broker.Query{{Queue: "q", Workers: []broker.Worker{pod("a", "a", "1.1.1.1"), pod("b", "b", "1.1.1.2")}}}
	atLimit := NewTally(q, withWorkers)
	if err := add(atLimit, row{"1", "w", "NULL", "100"}, row{"1", "r", "NULL", "100"}, row{"1", "h", "a", "100"}); err != nil {
		t.Fatal(err)
	}
	tooMany := NewTally(q, withWorkers)
	rows := []row{{"1", "w", "NULL", "0"}, {"1", "r", "NULL", "99"}, {"1", "h", "a", "1"}}
	for i := range Groups(q) - 1 {
		rows = append(rows, row{"1", "h", fmt.Sprint("gone-", i), "0"})
	}
	if err := add(tooMany, rows...); err != nil {
		t.Fatal(err)
	}
	for name, tally := range map[string]*Tally{"at the limit": atLimit, "too many workers": tooMany} {
		d, err := tally.Depth(0)
		if _, known := d.Held["b"]; err != nil || d.Held["a"] == 0 || known {
			t.Errorf("%s: %+v, %v; want a busy and nothing of b", name, d, err)
		}
	}
	if err := add(tooMany, row{"1", "h", "one-more", "0"}); err == nil {
		t.Error("more workers than were asked for are taken")
	}
}

func TestRowsThatAreRefused(t *testing.T) {
	good := []row{{"1", "w", "NULL", "3"}, {"1", "r", "NULL", "0"}, {"2", "w", "NULL", "0"}}
	for name, rows := range map[string][]row{
		"one is missing":        good,
		"a negative number":     append(good[:3:3], row{"2", "r", "NULL", "-1"}),
		"above the limit":       append(good[:3:3], row{"2", "r", "NULL", "101"}),
		"no number":             append(good[:3:3], row{"2", "r", "NULL", "1.5"}),
		"an empty number":       append(good[:3:3], row{"2", "r", "NULL", ""}),
		"a queue too many":      append(good[:3:3], row{"3", "r", "NULL", "0"}),
		"a queue of 0":          append(good[:3:3], row{"0", "r", "NULL", "0"}),
		"no queue":              append(good[:3:3], row{"", "r", "NULL", "0"}),
		"another kind":          append(good[:3:3], row{"2", "x", "NULL", "0"}),
		"twice":                 append(good[:3:3], row{"2", "w", "NULL", "0"}),
		"a worker of no column": append(good[:3:3], row{"2", "h", "a", "1"}),
	} {
		t.Run(name, func(t *testing.T) {
			tally := NewTally([]broker.Query{{Queue: "a"}, {Queue: "b"}}, Block{CountLimit: 100, Table: &Table{}})
			err := add(tally, rows...)
			if err == nil {
				_, err = tally.Depth(1)
			}
			if err == nil {
				t.Error("it is taken for an answer")
			}
			if d, err := tally.Depth(0); err != nil || d.Held != nil {
				t.Errorf("the other queue: %+v, %v", d, err)
			}
		})
	}
}

func TestRowsOfAQuery(t *testing.T) {
	columns := []string{"queue", "other", "waiting", "in_flight", "oldest_seconds"}
	unknown := broker.Count{}
	cases := map[string]struct {
		values []string // of the queue a; "NULL" is NULL
		want   broker.Depth
		age    string
		says   string // of the queue alone
		breaks string // all of it
	}{
		"as it should be":       {[]string{"a", "x", "3", "1", "2.5"}, broker.Depth{Waiting: broker.CountOf(3), InFlight: broker.CountOf(1)}, "2.5s", "", ""},
		"none":                  {nil, broker.Depth{Waiting: broker.CountOf(0), InFlight: broker.CountOf(0)}, "", "", ""},
		"in flight is unknown":  {[]string{"a", "x", "3", "NULL", "NULL"}, broker.Depth{Waiting: broker.CountOf(3), InFlight: unknown}, "", "", ""},
		"waiting is unknown":    {[]string{"a", "x", "NULL", "1", "2"}, broker.Depth{}, "2s", "NULL as waiting", ""},
		"a negative number":     {[]string{"a", "x", "-1", "1", "2"}, broker.Depth{}, "2s", `"-1" as waiting`, ""},
		"negative in flight":    {[]string{"a", "x", "1", "-1", "2"}, broker.Depth{}, "2s", `"-1" as in_flight`, ""},
		"a fraction":            {[]string{"a", "x", "1.5", "1", "2"}, broker.Depth{}, "2s", `"1.5" as waiting`, ""},
		"an absurd number":      {[]string{"a", "x", "1125899906842625", "1", "2"}, broker.Depth{}, "2s", "no number of messages", ""},
		"not of this world":     {[]string{"a", "x", "99999999999999999999", "1", "2"}, broker.Depth{}, "2s", "no number of messages", ""},
		"an age from tomorrow":  {[]string{"a", "x", "1", "1", "-86400"}, broker.Depth{Waiting: broker.CountOf(1), InFlight: broker.CountOf(1)}, "", "", ""},
		"an age of a stone":     {[]string{"a", "x", "1", "1", "1e300"}, broker.Depth{Waiting: broker.CountOf(1), InFlight: broker.CountOf(1)}, "", "", ""},
		"an age that is none":   {[]string{"a", "x", "1", "1", "NaN"}, broker.Depth{Waiting: broker.CountOf(1), InFlight: broker.CountOf(1)}, "", "", ""},
		"a queue of others":     {[]string{"z", "x", "1", "1", "1"}, broker.Depth{}, "", "", "was not asked for"},
		"a queue that is NULL":  {[]string{"NULL", "x", "1", "1", "1"}, broker.Depth{}, "", "", "was not asked for"},
		"a second row of one":   {[]string{"b", "x", "1", "1", "1"}, broker.Depth{}, "", "", "two rows"},
		"fewer than were named": {[]string{"a", "x", "1"}, broker.Depth{}, "", "", "too short"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			rows := NewRows([]broker.Query{{Queue: "a"}, {Queue: "b"}})
			if err := rows.Columns(columns); err != nil || !rows.HasAges() {
				t.Fatalf("%v, ages: %t", err, rows.HasAges())
			}
			err := rows.Add([][]byte{[]byte("b"), nil, []byte("0"), []byte("0"), nil})
			if err == nil && c.values != nil {
				var values [][]byte
				for _, v := range c.values {
					if v == "NULL" {
						values = append(values, nil)
					} else {
						values = append(values, []byte(v))
					}
				}
				err = rows.Add(values)
			}
			says(t, err, c.breaks)
			if err != nil {
				return
			}
			got, err := rows.Depth(0)
			says(t, err, c.says)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("depth (-want +got):\n%s", diff)
			}
			if age := rows.Age(0); age.Known != (c.age != "") || (age.Known && age.D.String() != c.age) {
				t.Errorf("the age is %+v, want %q", age, c.age)
			}
		})
	}
}

func says(t *testing.T, err error, want string) {
	t.Helper()
	if (want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), want)) {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestColumnsOfAQuery(t *testing.T) {
	for columns, want := range map[string]string{
		"queue waiting in_flight":                "",
		"in_flight queue x waiting":              "",
		"queue waiting":                          "no column of the name in_flight",
		"queue in_flight":                        "no column of the name waiting",
		"waiting in_flight":                      "no column of the name queue",
		"":                                       "no column of the name queue",
		"queue waiting in_flight waiting":        "two columns of the name waiting",
		"QUEUE waiting in_flight oldest_seconds": "no column of the name queue",
	} {
		rows := NewRows(nil)
		says(t, rows.Columns(strings.Fields(columns)), want)
		if want == "" && rows.HasAges() {
			t.Errorf("%s: it tells ages", columns)
		}
	}
}
