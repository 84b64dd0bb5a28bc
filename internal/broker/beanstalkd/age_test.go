package beanstalkd

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/beanstalkd/beanstalkdtest"
)

const waitLimit = 30 * time.Second

// ages reads ages, which must succeed.
func ages(t *testing.T, d broker.Driver, queues ...string) []broker.Age {
	t.Helper()
	got, err := d.(broker.AgeReader).OldestAges(t.Context(), queues)
	if err != nil || len(got) != len(queues) {
		t.Fatalf("ages of %q: %v, %v", queues, got, err)
	}
	return got
}

// awaitAge waits until the message of a queue is so old.
func awaitAge(t *testing.T, d broker.Driver, queue string, least time.Duration) {
	t.Helper()
	for limit := time.Now().Add(waitLimit); ; {
		got := ages(t, d, queue)[0]
		if got.Known && got.D >= least {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("%s: the age is %+v, want %s", queue, got, least)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// stats is one field of stats-job.
func stats(t *testing.T, c *beanstalkdtest.Client, id, field string) string {
	t.Helper()
	got := c.Do("", "stats-job %s", id)
	_, value, found := strings.Cut(got[len(got)-1], "\n"+field+": ")
	value, _, _ = strings.Cut(value, "\n")
	if !found {
		t.Fatalf("job %s has no %s: %v", id, field, got)
	}
	return value
}

// The next job is not always the oldest: where priorities differ, the age is a lower bound.
func TestTheAgeIsThatOfTheNextJob(t *testing.T) {
	s := beanstalkdtest.Start(t)
	d, c := open(t, s.Addr()), s.Client()
	c.Put("one", "x", 0, time.Hour)
	c.Do("", "use urgent-last")
	c.Do("x", "put 9 0 3600 1")
	awaitAge(t, d, "one", 2*time.Second)
	c.Put("one", "y", 0, time.Hour)
	c.Do("", "use urgent-last")
	c.Do("y", "put 1 0 3600 1")
	got := ages(t, d, "one", "urgent-last")
	if !got[0].Known || got[0].D < 2*time.Second {
		t.Errorf("with one priority the oldest job comes next; the ages are %+v", got)
	}
	if !got[1].Known || got[1].D >= got[0].D {
		t.Errorf("the urgent job is younger, and comes next: %+v, the other tube %+v", got[1], got[0])
	}
}

// A job does not wait while it is delayed or buried, and has no age then. Afterwards it has: from when it was due, and with
// the time in which it was reserved or buried.
func TestJobsThatHaveNotWaitedAllTheTime(t *testing.T) {
	s := beanstalkdtest.Start(t)
	d, c := open(t, s.Addr()), s.Client()
	const delay = 2 * time.Second
	before := time.Now()
	c.Put("delayed", "x", delay, time.Hour)
	c.Put("released", "x", 0, time.Hour)
	c.Put("buried", "x", 0, time.Hour)
	c.Put("kicked", "x", time.Hour, time.Hour)
	after := time.Now()
	released, buried := c.Reserve("released"), c.Reserve("buried")
	c.Do("", "bury %s 0", buried)
	if got := ages(t, d, "delayed", "released", "buried", "kicked"); cmp.Diff(make([]broker.Age, 4), got) != "" {
		t.Errorf("delayed, reserved, buried, delayed: %+v, want no age", got)
	}
	for limit := time.Now().Add(waitLimit); stats(t, c, "1", "state") != "ready"; {
		if time.Now().After(limit) {
			t.Fatal("the delayed job is never ready")
		}
		<-time.After(20 * time.Millisecond)
	}
	c.Do("", "release %s 0 0", released)
	c.Do("", "kick-job %s", buried)
	c.Do("", "kick-job 4")
	least := time.Since(after) - time.Second
	got := ages(t, d, "delayed", "released", "buried", "kicked")
	for _, age := range got[1:3] {
		if !age.Known || age.D < least {
			t.Errorf("a job that was reserved or buried: %+v, want %s at least", age, least)
		}
	}
	if most := time.Since(before) - delay; !got[0].Known || got[0].D > most {
		t.Errorf("a job that was due just now: %+v, want %s at most", got[0], most)
	}
	if got[3] != (broker.Age{}) {
		t.Errorf("a job that has not waited for its delay: %+v, want no age", got[3])
	}
}

// The age outlives the server, and a tube that is paused has one: its jobs wait all the same.
func TestAgesOutliveTheServer(t *testing.T) {
	s := beanstalkdtest.Start(t)
	d, c := open(t, s.Addr()), s.Client()
	c.Put("q", "x", 0, time.Hour)
	awaitAge(t, d, "q", 2*time.Second)
	s.Restart()
	d = open(t, s.Addr())
	s.Client().Do("", "pause-tube q 3600")
	if got := ages(t, d, "q")[0]; !got.Known || got.D < 2*time.Second {
		t.Errorf("after a restart: %+v, want 2 s or more", got)
	}
}

// Looking at jobs leaves them, the tube and its clients as they are, and a name that no tube can have is never sent.
func TestLookingChangesNothing(t *testing.T) {
	s := beanstalkdtest.Start(t)
	d, c := open(t, s.Addr()), s.Client()
	c.Put("q", "x", 0, time.Hour)
	before := c.Do("", "stats-tube q")
	got := ages(t, d, "q\r\ndelete 1", "never-seen", "q", "")
	if got[0].Known || got[1].Known || !got[2].Known || got[3].Known {
		t.Errorf("ages %+v, want one of the third alone", got)
	}
	if got := ages(t, d, "a b", ""); got[0].Known || got[1].Known {
		t.Errorf("ages %+v, want none", got)
	}
	for limit := time.Now().Add(waitLimit); ; {
		tube, gone := c.Do("", "stats-tube q"), c.Do("", "stats-tube never-seen")
		if cmp.Equal(before, tube) && gone[0] == "NOT_FOUND" {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("the tube is %q, it was %q; the other is %q", tube, before, gone)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// A job that is too long to be looked at fails the ages, and no depth.
func TestLongJobs(t *testing.T) {
	s := beanstalkdtest.Start(t)
	d, c := open(t, s.Addr()), s.Client()
	longest := strings.Repeat("x", 65_535)
	queues := make([]string, mostPeeked/len(longest)+1)
	for i := range queues {
		queues[i] = fmt.Sprint("q", i)
		c.Put(queues[i], longest, 0, time.Hour)
	}
	fit := queues[:len(queues)-1]
	if got := ages(t, d, fit...); !got[0].Known || !got[len(fit)-1].Known {
		t.Errorf("%d jobs: the ages are %+v", len(fit), got)
	}
	if got, err := d.(broker.AgeReader).OldestAges(t.Context(), queues); got != nil || !errors.Is(err, errPeeked) {
		t.Errorf("%d jobs: %v, %v, want %v", len(queues), got, err, errPeeked)
	}
	answers, err := d.Depths(t.Context(), []broker.Query{{Queue: "q0"}})
	if err != nil || answers[0].Depth.Waiting != broker.CountOf(1) {
		t.Errorf("the depth is %+v, %v", answers, err)
	}
}

func TestRepliesToPeeks(t *testing.T) {
	both := []next{{0, 7}, {2, 18446744073709551615}}
	found := "USING q\r\nFOUND 7 3\r\na\r\n\r\nUSING s\r\nFOUND 18446744073709551615 0\r\n\r\n"
	cases := map[string]struct {
		reply string
		want  []next
		says  string
	}{
		"as it should be":          {found, both, ""},
		"no job":                   {"USING q\r\nNOT_FOUND\r\nUSING s\r\nNOT_FOUND\r\n", nil, ""},
		"another tube":             {strings.Replace(found, "USING s", "USING q", 1), nil, "USING q"},
		"a refusal of the tube":    {"BAD_FORMAT\r\n", nil, "BAD_FORMAT"},
		"a refusal":                {"USING q\r\nINTERNAL_ERROR\r\n", nil, "INTERNAL_ERROR"},
		"words before the job":     {strings.Replace(found, "FOUND 7", "LOST 7", 1), nil, "LOST 7"},
		"a job without a length":   {strings.Replace(found, "7 3", "7", 1), nil, "FOUND 7"},
		"a number that is none":    {strings.Replace(found, "7 3", "x 3", 1), nil, "without its number"},
		"a length that is none":    {strings.Replace(found, "7 3", "7 -3", 1), nil, "without its number"},
		"a length that cannot be":  {strings.Replace(found, "7 3", "7 2147483648", 1), nil, "without its number"},
		"a longer job":             {strings.Replace(found, "7 3", "7 8388609", 1), nil, errPeeked.Error()},
		"the longest job":          {"USING q\r\nFOUND 7 8388608\r\n" + strings.Repeat("x", mostPeeked) + "\r\nUSING s\r\nNOT_FOUND\r\n", both[:1], ""},
		"one byte more in the two": {"USING q\r\nFOUND 7 8388608\r\n" + strings.Repeat("x", mostPeeked) + "\r\nUSING s\r\nFOUND 8 1\r\nx\r\n", nil, errPeeked.Error()},
		"a job longer than it is":  {strings.Replace(found, "7 3", "7 2", 1), nil, "longer than it said"},
		"a job that is cut":        {"USING q\r\nFOUND 7 30\r\nabc", nil, "EOF"},
		"a job whose end is cut":   {"USING q\r\nFOUND 7 3\r\nabc\r", nil, "EOF"},
		"cut before the job":       {"USING q\r\n", nil, "EOF"},
		"nothing":                  {"", nil, "EOF"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := readPeeks(bufio.NewReaderSize(strings.NewReader(c.reply), 2*longestLine), []string{"q", "not a tube", "s"}, []int{0, 2})
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(next{})); diff != "" {
				t.Errorf("jobs (-want +got):\n%s", diff)
			}
			if (c.says == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), c.says)) {
				t.Errorf("error %v, want %q", err, c.says)
			}
		})
	}
}

func TestRepliesToStatsJob(t *testing.T) {
	full := "---\nid: 7\ntube: q\nstate: ready\npri: 0\nage: 90\ndelay: 20\n"
	change := func(from, to string) string {
		body := strings.Replace(full, from, to, 1)
		return fmt.Sprintf("OK %d\r\n%s\r\n", len(body), body)
	}
	unknown := broker.Age{}
	cases := map[string]struct {
		reply string
		want  broker.Age
		says  string
	}{
		"it waits":                        {change("", ""), broker.AgeOf(70 * time.Second), ""},
		"a name in quotes":                {change("tube: q", `tube: "q"`), broker.AgeOf(70 * time.Second), ""},
		"it was taken a moment ago":       {change("ready", "reserved"), broker.AgeOf(70 * time.Second), ""},
		"it is done":                      {"NOT_FOUND\r\n", unknown, ""},
		"it is delayed":                   {change("ready", "delayed"), unknown, ""},
		"it is buried":                    {change("ready", "buried"), unknown, ""},
		"it was due this moment":          {change("delay: 20", "delay: 90"), broker.AgeOf(0), ""},
		"it did not wait for its delay":   {change("delay: 20", "delay: 91"), unknown, ""},
		"the oldest that there can be":    {change("age: 90", "age: 4294967295"), broker.AgeOf(4294967275 * time.Second), ""},
		"an age that cannot be":           {change("age: 90", "age: 4294967296"), unknown, ""},
		"an age before the server's time": {change("age: 90", "age: 18446744073709551615"), unknown, ""},
		"an age that is too large":        {change("age: 90", "age: 18446744073709551616"), unknown, "no number as the age"},
		"a negative age":                  {change("age: 90", "age: -1"), unknown, "no number as the age"},
		"no age":                          {change("age: 90", "ago: 90"), unknown, "no number as the age"},
		"no delay":                        {change("delay: 20", "delay: "), unknown, "no number as the age"},
		"another job":                     {change("id: 7", "id: 8"), unknown, "another job"},
		"a job of another tube":           {change("tube: q", "tube: r"), unknown, "another job"},
		"a field twice":                   {change("pri: 0", "age: 0"), unknown, "twice"},
		"a refusal":                       {"UNKNOWN_COMMAND\r\n", unknown, "UNKNOWN_COMMAND"},
		"a longer body":                   {fmt.Sprintf("OK %d\r\n", longestBody+1), unknown, "a length that cannot be"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := readAge(bufio.NewReaderSize(strings.NewReader(c.reply), 2*longestLine), "q", 7)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("age (-want +got):\n%s", diff)
			}
			if (c.says == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), c.says)) {
				t.Errorf("error %v, want %q", err, c.says)
			}
		})
	}
}
