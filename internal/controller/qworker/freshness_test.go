package qworker

import (
	"errors"
	"iter"
	"maps"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/backlog"
)

// desk has the queues that are read anew, and answers them.
type desk struct {
	asked   int
	answers map[backlog.Key]chan backlog.Reading
	last    map[backlog.Key]backlog.Reading
}

func (d *desk) request(key backlog.Key) <-chan backlog.Reading {
	d.asked++
	d.answers[key] = make(chan backlog.Reading, 1)
	return d.answers[key]
}

func (d *desk) readings() iter.Seq2[backlog.Key, backlog.Reading] { return maps.All(d.last) }

// answer has a reading come.
func (d *desk) answer(key backlog.Key, reading backlog.Reading) {
	d.last[key] = reading
	d.answers[key] <- reading
}

// What serves a departure is a reading that was requested for it, and nothing else does.
func TestWhichReadingsAreFresh(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	here, there := backlog.Key{Name: "here"}, backlog.Key{Name: "there"}
	at := func(seconds int) backlog.Reading {
		return backlog.Reading{Known: true, ReadAt: now.Add(time.Duration(seconds) * time.Second)}
	}
	failed := at(0)
	failed.Err = errors.New("down")
	cases := map[string]struct {
		rounds func(f *freshness, d *desk)
		fresh  bool
		asked  int
	}{
		"nothing was requested": {func(*freshness, *desk) {}, false, 0},
		"the answers have yet to come": {func(f *freshness, d *desk) {
			f.ask(d.readings(), d.request)
			f.begin(now)
		}, false, 2},
		"a reading that nobody requested is none": {func(f *freshness, d *desk) {
			f.ask(d.readings(), d.request)
			d.last[here], d.last[there] = at(9), at(9)
			f.begin(now)
		}, false, 2},
		"one answer is there": {func(f *freshness, d *desk) {
			f.ask(d.readings(), d.request)
			d.answer(here, at(1))
			f.begin(now)
		}, false, 2},
		"both are, one after another, and each was requested once": {func(f *freshness, d *desk) {
			f.ask(d.readings(), d.request)
			d.answer(here, at(1))
			f.begin(now)
			f.ask(d.readings(), d.request)
			d.answer(there, at(2))
			f.begin(now)
		}, true, 2},
		"a later reading is as good as the answer": {func(f *freshness, d *desk) {
			f.ask(d.readings(), d.request)
			d.answer(here, at(1))
			d.answer(there, at(1))
			d.last[here] = at(2)
			f.begin(now)
		}, true, 2},
		"an answer serves one round": {func(f *freshness, d *desk) {
			f.ask(d.readings(), d.request)
			d.answer(here, at(1))
			d.answer(there, at(1))
			f.begin(now)
			f.begin(now)
		}, false, 2},
		"nobody waits for a queue that cannot be read": {func(f *freshness, d *desk) {
			d.last[there] = failed
			f.ask(d.readings(), d.request)
			d.answer(here, at(1))
			f.begin(now)
		}, true, 1},
		"a failure that is over is no answer": {func(f *freshness, d *desk) {
			f.ask(d.readings(), d.request)
			d.answer(here, at(1))
			d.answer(there, failed)
			f.begin(now)
			d.last[there] = at(2)
		}, false, 2},
		"it is requested anew": {func(f *freshness, d *desk) {
			f.ask(d.readings(), d.request)
			d.answer(here, at(1))
			d.answer(there, failed)
			f.begin(now)
			d.last[there] = at(2)
			f.ask(d.readings(), d.request)
			d.answer(there, at(3))
			f.begin(now)
		}, true, 3},
		"another broker has not been read": {func(f *freshness, d *desk) {
			f.ask(d.readings(), d.request)
			d.answer(here, at(1))
			d.answer(there, at(1))
			d.last[there] = backlog.Reading{}
			f.begin(now)
		}, false, 2},
		"another broker is asked": {func(f *freshness, d *desk) {
			f.ask(d.readings(), d.request)
			d.answer(here, at(1))
			d.answer(there, at(1))
			d.last[there] = backlog.Reading{}
			f.begin(now)
			f.ask(d.readings(), d.request)
		}, false, 3},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := &desk{answers: map[backlog.Key]chan backlog.Reading{}, last: map[backlog.Key]backlog.Reading{here: at(0), there: at(0)}}
			var f freshness
			c.rounds(&f, d)
			if got := f.has(d.readings()); got != c.fresh || d.asked != c.asked {
				t.Errorf("fresh: %t after %d requests; want %t after %d", got, d.asked, c.fresh, c.asked)
			}
		})
	}
}
