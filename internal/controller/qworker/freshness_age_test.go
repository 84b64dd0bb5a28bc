package qworker

import (
	"math/rand"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/backlog"
)

// pace is how long each next answer of a queue takes; the last goes on.
type pace []time.Duration

func (p pace) of(n int) time.Duration { return p[min(n, len(p))-1] }

// answering plays the rounds of a fleet whose queues answer at these paces: one for each answer, as they come. It returns
// how often each queue was asked, and how old each reading is, until they are fresh.
func answering(t *testing.T, paces map[backlog.Key]pace) (asked map[backlog.Key]int, age map[backlog.Key]time.Duration) {
	t.Helper()
	type due struct {
		key   backlog.Key
		began time.Time
		takes time.Duration
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	d := &desk{answers: map[backlog.Key]chan backlog.Reading{}, last: map[backlog.Key]backlog.Reading{}}
	asked = map[backlog.Key]int{}
	for key := range paces {
		d.last[key] = backlog.Reading{Known: true, ReadAt: now.Add(-time.Second)}
	}
	var (
		f       freshness
		pending []due
	)
	for range 100 {
		f.begin(now)
		if f.has(d.readings()) {
			age = map[backlog.Key]time.Duration{}
			for key, reading := range d.last {
				age[key] = now.Sub(reading.ReadAt)
			}
			return asked, age
		}
		f.ask(d.readings(), func(key backlog.Key) <-chan backlog.Reading {
			asked[key]++
			pending = append(pending, due{key, now, paces[key].of(asked[key])})
			return d.request(key)
		})
		if len(pending) == 0 {
			t.Fatalf("nothing is awaited, and nothing is fresh: asked %v", asked)
		}
		first := 0
		for i, p := range pending {
			if p.began.Add(p.takes).Before(pending[first].began.Add(pending[first].takes)) {
				first = i
			}
		}
		p := pending[first]
		pending = append(pending[:first], pending[first+1:]...)
		now = p.began.Add(p.takes)
		d.answer(p.key, backlog.Reading{Known: true, ReadAt: p.began, Took: p.takes})
	}
	t.Fatalf("they are never fresh: asked %v", asked)
	return nil, nil
}

// The answer of one queue does not wait for that of another for as long as that takes.
func TestAnAnswerBecomesTooOld(t *testing.T) {
	here, there := backlog.Key{Name: "here"}, backlog.Key{Name: "there"}
	const s, ms = time.Second, time.Millisecond
	cases := map[string]struct {
		here, there pace
		asked       [2]int
		age         [2]time.Duration
	}{
		"both are quick":                     {pace{ms}, pace{10 * ms}, [2]int{1, 1}, [2]time.Duration{10 * ms, 10 * ms}},
		"one hangs for a while":              {pace{ms}, pace{8 * s, ms}, [2]int{2, 1}, [2]time.Duration{ms, 8*s + ms}},
		"one is always slow":                 {pace{10 * ms}, pace{4 * s}, [2]int{2, 1}, [2]time.Duration{10 * ms, 4*s + 10*ms}},
		"both are slow":                      {pace{4 * s}, pace{4 * s}, [2]int{1, 1}, [2]time.Duration{4 * s, 4 * s}},
		"both are slow, one more so":         {pace{3 * s}, pace{5 * s}, [2]int{1, 1}, [2]time.Duration{5 * s, 5 * s}},
		"one hangs after each that it waits": {pace{ms, 3 * s, ms, 3 * s}, pace{5 * s, ms}, [2]int{2, 1}, [2]time.Duration{3 * s, 8 * s}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			asked, age := answering(t, map[backlog.Key]pace{here: c.here, there: c.there})
			if got := [2]int{asked[here], asked[there]}; got != c.asked {
				t.Errorf("asked %v times, want %v", got, c.asked)
			}
			if got := [2]time.Duration{age[here], age[there]}; got != c.age {
				t.Errorf("the readings are %v old, want %v", got, c.age)
			}
		})
	}
}

// However slow the queues are, and whatever they wait for, the departures come: no queue is asked more than a few times.
func TestSlowQueuesDoNotWaitForEachOtherForEver(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	for range 2000 {
		paces := map[backlog.Key]pace{}
		for i := range 2 + random.Intn(4) {
			p := make(pace, 1+random.Intn(6))
			for n := range p {
				p[n] = time.Duration(1+random.Intn(6000)) * time.Millisecond
			}
			paces[backlog.Key{Name: string(rune('a' + i))}] = p
		}
		asked, _ := answering(t, paces)
		for key, n := range asked {
			if n > mostAsked {
				t.Fatalf("%s was asked %d times, want at most %d, at the paces %v", key.Name, n, mostAsked, paces)
			}
		}
	}
}

// An answer that has waited for its round, as in a storm, is asked for again, and a few times only.
func TestAnAnswerThatWaitsForItsRound(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	key := backlog.Key{Name: "here"}
	d := &desk{answers: map[backlog.Key]chan backlog.Reading{}, last: map[backlog.Key]backlog.Reading{key: {Known: true, ReadAt: now}}}
	var f freshness
	rounds := 0
	for ; rounds < 10 && !f.has(d.readings()); rounds++ {
		f.ask(d.readings(), d.request)
		d.answer(key, backlog.Reading{Known: true, ReadAt: now})
		now = now.Add(freshFor + 1)
		f.begin(now)
	}
	if rounds != mostAsked || d.asked != mostAsked {
		t.Errorf("after %d rounds and %d requests, want %d", rounds, d.asked, mostAsked)
	}
}
