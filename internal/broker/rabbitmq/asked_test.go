package rabbitmq

import (
	"fmt"
	"hash/maphash"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
)

// list is an array of many objects, and of one more.
func list(many int, object func(i int) string, last string) string {
	var b strings.Builder
	b.WriteString("[")
	for i := range many {
		b.WriteString(object(i) + ",")
	}
	return b.String() + last + "]"
}

// Of a server that lists much more than was asked for, of each kind, nothing else is kept.
func TestAServerThatListsMuch(t *testing.T) {
	const many = channelsBeside + channelsOfWorker + 1
	queue := func(i int) string {
		return fmt.Sprintf(`{"name":"other-%d","messages_ready":1,"messages_unacknowledged":1}`, i)
	}
	consumer := func(i int) string {
		return fmt.Sprintf(`{"queue":{"name":"other-%d"},"ack_required":false,"channel_details":{"name":"c-%d"}}`, i, i)
	}
	from := func(host string) func(i int) string {
		return func(i int) string {
			return fmt.Sprintf(`{"name":"c-%d","messages_unacknowledged":1,"connection_details":{"peer_host":%q}}`, i, host)
		}
	}
	const mine = `{"name":"mine","messages_unacknowledged":3,"connection_details":{"peer_host":"10.0.0.1"}}`
	for name, c := range map[string]struct {
		channels string
		kept     int
		want     map[string]int64
	}{
		"of others":     {list(many, from("10.0.0.9"), mine), 1, map[string]int64{"w": 3}},
		"of the worker": {list(many, from("10.0.0.1"), mine), channelsBeside + channelsOfWorker, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := answering(t, map[string]string{
				"/api/queues/":    list(many, queue, `{"name":"q","messages_ready":7,"messages_unacknowledged":3}`),
				"/api/consumers/": list(many, consumer, `{"queue":{"name":"q"},"ack_required":true,"channel_details":{"name":"mine"}}`),
				"/api/vhosts/":    c.channels,
			})
			defer m.close()
			q := broker.Query{Queue: "q", Workers: []broker.Worker{{PodName: "w", PodIP: "10.0.0.1"}}}
			asked := newAsked()
			asked.note([]broker.Query{q, {Queue: "gone"}}, true, time.Now())
			s, err := m.read(t.Context(), time.Now(), asked, true)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]totals{"q": {true, true, 7, 3}, "gone": {}}, s.queues, cmp.AllowUnexported(totals{})); diff != "" {
				t.Errorf("queues (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.want, s.heldOf(q)); diff != "" {
				t.Errorf("held (-want +got):\n%s", diff)
			}
			if w := s.workers; w != nil && len(w.automatic)+len(w.held) != 1 {
				t.Errorf("it keeps %+v, want the one worker alone", w)
			}
			open := &channels{seed: maphash.MakeSeed(), by: map[uint64]*channel{}, most: channelsBeside + channelsOfWorker}
			if err := m.readChannels(t.Context(), asked, open); err != nil || len(open.by) != c.kept {
				t.Errorf("while it reads it has %d channels, want %d; %v", len(open.by), c.kept, err)
			}
		})
	}
}

// A channel that consumes another queue too, also one that nobody asked for, says nothing of whose its messages are.
func TestChannelsOfSeveralQueues(t *testing.T) {
	consumers := map[string]string{
		"one queue, twice": `[{"queue":{"name":"q"},"ack_required":true,"channel_details":{"name":"c"}},{"queue":{"name":"q"},"ack_required":true,"channel_details":{"name":"c"}}]`,
		"another before":   `[{"queue":{"name":"other"},"ack_required":true,"channel_details":{"name":"c"}},{"queue":{"name":"q"},"ack_required":true,"channel_details":{"name":"c"}}]`,
		"another after":    `[{"queue":{"name":"q"},"ack_required":true,"channel_details":{"name":"c"}},{"queue":{"name":"other"},"ack_required":true,"channel_details":{"name":"c"}}]`,
		"none":             `[]`,
	}
	for name, text := range consumers {
		t.Run(name, func(t *testing.T) {
			m := answering(t, map[string]string{
				"/api/queues/": `[]`, "/api/consumers/": text,
				"/api/vhosts/": `[{"name":"c","messages_unacknowledged":2,"connection_details":{"peer_host":"10.0.0.1"}}]`,
			})
			defer m.close()
			q := broker.Query{Queue: "q", Workers: []broker.Worker{{PodName: "w", PodIP: "10.0.0.1"}}}
			asked := newAsked()
			asked.note([]broker.Query{q}, true, time.Now())
			s, err := m.read(t.Context(), time.Now(), asked, true)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]int64{}
			if name == "one queue, twice" {
				want["w"] = 2
			}
			if diff := cmp.Diff(want, s.heldOf(q)); diff != "" {
				t.Errorf("held (-want +got):\n%s", diff)
			}
		})
	}
}

// What is asked for now and then is looked for all the while, and what nobody asks for any more is forgotten.
func TestWhatWasAskedFor(t *testing.T) {
	a, began := newAsked(), time.Now()
	a.note([]broker.Query{{Queue: "q", Workers: []broker.Worker{{PodIP: "::ffff:10.0.0.1"}, {PodIP: "none"}}}}, true, began)
	a.note([]broker.Query{{Queue: "r", Workers: []broker.Worker{{PodIP: "10.0.0.2"}}}}, false, began.Add(askedFor))
	if len(a.queues) != 2 || len(a.addresses) != 1 {
		t.Errorf("after %s: %+v, want both queues, and the worker of the first", askedFor, a)
	}
	a.note(nil, true, began.Add(askedFor+1))
	if len(a.queues) != 1 || len(a.addresses) != 0 {
		t.Errorf("later: %+v, want the second queue alone", a)
	}
	s := &snapshot{queues: map[string]totals{"q": {}}}
	if !s.covers([]broker.Query{{Queue: "q"}}) || s.covers([]broker.Query{{Queue: "q"}, {Queue: "r"}}) {
		t.Error("an answer covers the queues that were asked for when it was read, and no other")
	}
}
