package beanstalkd

import (
	"bufio"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/beanstalkd/beanstalkdtest"
)

func open(t *testing.T, address string) broker.Driver {
	t.Helper()
	d, err := Open(t.Context(), Config{Address: address}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// A job that is delayed waits for its time and not for a worker: the server itself makes it ready. One that is buried
// waits for a person.
func TestWhatWaitsForAWorker(t *testing.T) {
	s := beanstalkdtest.Start(t)
	d, c := open(t, s.Addr()), s.Client()
	c.Put("q", "now", 0, time.Hour)
	c.Put("q", "in an hour", time.Hour, time.Hour)
	c.Put("q", "to be buried", 0, time.Hour)
	c.Reserve("q")
	if got := c.Do("", "bury %s 0", c.Reserve("q")); got[0] != "BURIED" {
		t.Fatal(got)
	}
	answers, err := d.Depths(t.Context(), []broker.Query{{Queue: "q", Workers: []broker.Worker{{PodName: "w"}}}})
	if err != nil {
		t.Fatal(err)
	}
	want := []broker.Answer{{Depth: broker.Depth{Waiting: broker.CountOf(0), InFlight: broker.CountOf(1), CountsAll: true, Settled: broker.CountOf(0)}}}
	if diff := cmp.Diff(want, answers); diff != "" {
		t.Errorf("one reserved, one delayed, one buried (-want +got):\n%s", diff)
	}
}

// A name that no tube can have fails its own queue, and is never sent: it could be a command.
func TestNamesOfTubes(t *testing.T) {
	s := beanstalkdtest.Start(t)
	d := open(t, s.Addr())
	s.Client().Put("good", "x", 0, time.Hour)
	cases := map[string]string{
		"":                                 "it is empty",
		"-q":                               "begins with a hyphen",
		"a b":                              "it may have letters",
		"q\r\nput 0 0 1 1\r\nx":            "it may have letters",
		"ü":                                "it may have letters",
		"a:b":                              "it may have letters",
		strings.Repeat("x", longestTube+1): "it has 201 bytes",
		strings.Repeat("x", longestTube):   "",
		"aZ09-+/;.$_()":                    "",
	}
	for name, says := range cases {
		answers, err := d.Depths(t.Context(), []broker.Query{{Queue: name}, {Queue: "good"}})
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		if answers[1].Depth.Waiting != broker.CountOf(1) {
			t.Errorf("beside %q: %+v, want 1 waiting", name, answers[1])
		}
		switch err := answers[0].Err; {
		case says == "" && err != nil:
			t.Errorf("%q: %v", name, err)
		case says != "" && (broker.ReasonOf(err) != broker.ReasonInvalidQueue || !strings.Contains(err.Error(), says)):
			t.Errorf("%q: %v, want %q", name, err, says)
		}
	}
	if _, err := d.Depths(t.Context(), []broker.Query{{Queue: "-"}}); err != nil {
		t.Errorf("with no good name the server is still asked whether it answers: %v", err)
	}
}

func TestReplies(t *testing.T) {
	stats := func(body string) string {
		return fmt.Sprintf("OK %d\r\n%s\r\n", len(body), body)
	}
	full := "---\nname: q\ncurrent-jobs-ready: 7\ncurrent-jobs-reserved: 2\n"
	deleted := full + "cmd-delete: 3\n"
	counting := broker.Depth{Waiting: broker.CountOf(7), InFlight: broker.CountOf(2), CountsAll: true, Settled: broker.CountOf(3)}
	known := broker.Depth{Waiting: broker.CountOf(7), InFlight: broker.CountOf(2), CountsAll: true}
	cases := map[string]struct {
		reply string
		want  broker.Depth
		says  string
	}{
		"as it should be":            {stats(full), known, ""},
		"with what was deleted":      {stats(deleted), counting, ""},
		"no number of the deleted":   {stats(strings.Replace(deleted, ": 3", ": x", 1)), broker.Depth{}, "no number as cmd-delete"},
		"a name in quotes":           {stats(strings.Replace(full, "name: q", `name: "q"`, 1)), known, ""},
		"no such tube":               {"NOT_FOUND\r\n", broker.Depth{Waiting: broker.CountOf(0), InFlight: broker.CountOf(0), CountsAll: true}, ""},
		"another tube":               {stats(strings.Replace(full, "name: q", "name: r", 1)), broker.Depth{}, "was asked of"},
		"no count":                   {stats(strings.Replace(full, "-ready: 7", "-rea: 7", 1)), broker.Depth{}, "no number as current-jobs-ready"},
		"no count of the reserved":   {stats(strings.Replace(full, "-reserved: 2", "-reserved: x", 1)), broker.Depth{}, "no number as current-jobs-reserved"},
		"a negative count":           {stats(strings.Replace(full, ": 7", ": -7", 1)), broker.Depth{}, "no number"},
		"a count that is too large":  {stats(strings.Replace(full, ": 7", ": 9223372036854775808", 1)), broker.Depth{}, "no number"},
		"a count twice":              {stats(full + "current-jobs-ready: 0\n"), broker.Depth{}, "twice"},
		"the longest body":           {stats(full + strings.Repeat("x", longestBody-len(full))), known, ""},
		"a longer body":              {stats(full + strings.Repeat("x", longestBody-len(full)+1)), broker.Depth{}, "a length that cannot be"},
		"a body longer than it says": {"OK 3\r\nabcdef\r\n", broker.Depth{}, "longer than it said"},
		"a length that is none":      {"OK x\r\n", broker.Depth{}, "a length that cannot be"},
		"a refusal":                  {"OUT_OF_MEMORY\r\n", broker.Depth{}, "OUT_OF_MEMORY"},
		"a line without end":         {strings.Repeat("x", 1<<20), broker.Depth{}, "without an end"},
		"another end of the line":    {"NOT_FOUND\n", broker.Depth{}, "ends in another way"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := readDepth(bufio.NewReaderSize(strings.NewReader(c.reply), 2*longestLine), "q")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("depth (-want +got):\n%s", diff)
			}
			if (c.says == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), c.says)) {
				t.Errorf("error %v, want %q", err, c.says)
			}
		})
	}
}
