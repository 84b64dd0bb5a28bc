package brokertest

import (
	"slices"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// ringTimeout is how soon a push must ring.
const ringTimeout = 2 * time.Second

// doorbell: a broker that tells of changes rings for each queue that was pushed to, and for no other. One that does not
// tell says why not, and never rings.
func doorbell(t *testing.T, h Harness) {
	s := h.Start(t)
	h.declare(s, "q", "r", "quiet")
	rung := make(chan []string, 1000)
	d, err := h.Kind.Open(t.Context(), parse(t, h, s.Settings()), func(queues ...string) { rung <- queues })
	if err != nil {
		t.Fatalf("opening: %v", err)
	}
	t.Cleanup(d.Close)
	p, ok := d.(broker.Pusher)
	why := "it is no Pusher"
	if ok {
		ok, why = p.Pushes()
	}
	if ok != h.Rings || (!ok && why == "") {
		t.Fatalf("it rings: %t (%q), want %t", ok, why, h.Rings)
	}
	for _, queue := range []string{"q", "r", "q"} {
		if _, err := d.Depths(t.Context(), []broker.Query{h.query("q"), h.query("r"), h.query("quiet")}); err != nil {
			t.Fatalf("reading: %v", err)
		}
		for len(rung) > 0 {
			<-rung // of what went before
		}
		s.Push(queue, 1)
		if !h.Rings {
			continue
		}
		select {
		case queues := <-rung:
			if !slices.Equal(queues, []string{queue}) {
				t.Errorf("a push to %s rang for %q", queue, queues)
			}
		case <-time.After(ringTimeout):
			t.Fatalf("a push to %s has not rung within %s", queue, ringTimeout)
		}
	}
	if !h.Rings && len(rung) > 0 {
		t.Errorf("it rang for %q", <-rung)
	}
}
