package brokertest

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// ager is the driver's own word on ages; ok is false where the broker tells of none, and the driver must not say that it
// does.
func ager(t *testing.T, h Harness, d broker.Driver) (reader broker.AgeReader, ok bool) {
	t.Helper()
	reader, ok = d.(broker.AgeReader)
	if ok != h.Ages {
		t.Fatalf("the driver is an AgeReader: %t, want %t", ok, h.Ages)
	}
	return reader, ok
}

// oldest reads ages, which must succeed.
func oldest(t *testing.T, reader broker.AgeReader, queues ...string) []broker.Age {
	t.Helper()
	ages, err := reader.OldestAges(t.Context(), queues)
	if err != nil || len(ages) != len(queues) {
		t.Fatalf("the ages of %q: %v, %v; want %d", queues, ages, err, len(queues))
	}
	return ages
}

// pushed is one message that waits, and between which moments it was pushed.
type pushed struct{ before, after time.Time }

func push(s Server, queue string) pushed {
	p := pushed{before: time.Now()}
	s.Push(queue, 1)
	p.after = time.Now()
	return p
}

// check compares an age that was asked for at a moment. It may be off by the second that the broker cuts off.
func (p pushed) check(t *testing.T, what string, age broker.Age, asked time.Time) {
	t.Helper()
	least, most := asked.Sub(p.after)-time.Second, time.Since(p.before)
	if !age.Known || age.D < least || age.D > most {
		t.Errorf("%s, the age is %+v, want %s to %s", what, age, least, most)
	}
}

// agesOf: a message that waits gets older. Where none waits, there is no age, which is not an age of 0.
func agesOf(t *testing.T, h Harness) {
	s := h.Start(t)
	d := open(t, h, s.Settings())
	reader, ok := ager(t, h, d)
	if !ok {
		return
	}
	unknown := broker.Age{}
	if got := oldest(t, reader, "q"); got[0] != unknown {
		t.Errorf("of a queue that is not there, the age is %+v", got[0])
	}
	if got := oldest(t, reader); len(got) != 0 {
		t.Errorf("asked for no queue, it answers %+v", got)
	}
	first := push(s, "q")
	s.Push("taken", 1)
	s.Take("taken", worker("w"), 1)
	s.Push("done", 1)
	s.Take("done", worker("w"), 1)
	s.Acknowledge("done", worker("w"), 1)
	asked := time.Now()
	was := oldest(t, reader, "taken", "q", "never-seen", "done")
	first.check(t, "soon", was[1], asked)
	for i, queue := range map[int]string{0: "taken", 2: "never-seen", 3: "done"} {
		if was[i] != unknown {
			t.Errorf("where no message waits (%s), the age is %+v", queue, was[i])
		}
	}
	grown := was[1]
	for limit := time.Now().Add(waitLimit); grown.D < was[1].D+time.Second; {
		if time.Now().After(limit) {
			t.Fatalf("the age has stayed %+v", grown)
		}
		<-time.After(50 * time.Millisecond)
		asked = time.Now()
		grown = oldest(t, reader, "q")[0]
		first.check(t, "later", grown, asked)
	}
	s.Push("q", 3)
	asked = time.Now()
	first.check(t, "with younger ones behind it", oldest(t, reader, "q")[0], asked)
	s.Take("q", worker("w"), 4)
	if got := oldest(t, reader, "q"); got[0] != unknown {
		t.Errorf("all taken, the age is %+v", got[0])
	}
}

// agesAway: what cannot be read is an error. After Close too.
func agesAway(t *testing.T, h Harness) {
	s := h.Start(t)
	s.Push("q", 1)
	d := open(t, h, s.Settings())
	reader, ok := ager(t, h, d)
	if !ok {
		return
	}
	oldest(t, reader, "q")
	s.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), deadline/4)
	defer cancel()
	within(t, "reading ages from a server that hangs", func() {
		_, err := reader.OldestAges(ctx, []string{"q"})
		failsFor(t, err, broker.ReasonTimeout)
	})
	began := make(chan error, 1)
	go func() {
		_, err := reader.OldestAges(t.Context(), []string{"q"})
		began <- err
	}()
	d.Close()
	within(t, "reading ages while the driver is closed", func() { fails(t, <-began) })
	s.Resume()
	_, err := reader.OldestAges(t.Context(), []string{"q"})
	fails(t, err)
}

// agesSpoiled: an age that comes over a connection that is cut, stalls or is fed with anything is true, or unknown. And a
// call that fails does not take the depths with it.
func agesSpoiled(t *testing.T, h Harness) {
	s := h.Start(t)
	p := newProxy(t, s.Settings())
	d := open(t, h, p.settings())
	reader, ok := ager(t, h, d)
	if !ok {
		return
	}
	message := push(s, "q")
	for limit := time.Now().Add(waitLimit); oldest(t, reader, "q")[0].D < time.Second; { // so that 0 is wrong
		if time.Now().After(limit) {
			t.Fatal("the message does not get older")
		}
		<-time.After(50 * time.Millisecond)
	}
	total := p.received()
	for _, at := range places(total, mostCuts) {
		p.spoil(at, nil)
		message.read(t, h, p, fmt.Sprintf("cut after %d of %d bytes", at, total), deadline)
	}
	for _, at := range []int{0, total / 2, total - 1} {
		p.stall(at)
		message.read(t, h, p, fmt.Sprintf("stalled after %d of %d bytes", at, total), deadline/4)
	}
	for name, feed := range feeds() {
		for _, at := range places(total, 8) {
			p.spoil(at, feed)
			what := fmt.Sprintf("%s after %d of %d bytes", name, at, total)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			message.read(t, h, p, what, deadline)
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > mostAllocated {
				t.Errorf("%s: it has taken %d KiB", what, took>>10)
			}
		}
	}
	p.spoil(0, nil) // connections to come; that of the depths is there
	if _, err := reader.OldestAges(t.Context(), []string{"q"}); err != nil {
		fails(t, err)
	}
	check(t, h, depth(t, d, h.query("q")), 1, 0, nil)
}

// read opens a driver, reads the age of the message with it, and closes it. It may fail.
func (p pushed) read(t *testing.T, h Harness, through *proxy, what string, limit time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	within(t, "reading ages", func() {
		d, err := dial(t, h, through.settings())
		if err != nil {
			fails(t, err)
			return
		}
		defer d.Close()
		reader, _ := ager(t, h, d)
		asked := time.Now()
		ages, err := reader.OldestAges(ctx, []string{"q"})
		if err != nil {
			fails(t, err)
			return
		}
		if len(ages) != 1 {
			t.Errorf("%s, the ages are %v, without an error; want one", what, ages)
			return
		}
		if ages[0].Known {
			p.check(t, what, ages[0], asked)
		}
	})
}
