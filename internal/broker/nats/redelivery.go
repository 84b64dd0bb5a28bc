package nats

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/quickube/qscaler/internal/broker"
)

// redelivery is what the consumer does with messages that are not acknowledged. A back-off takes the place of ack_wait.
func (i consumerInfo) redelivery() broker.Redelivery {
	r := broker.Redelivery{Known: true}
	if i.Config.AckPolicy == "none" { // what is delivered is forgotten
		return r
	}
	r.After, r.Setting = max(i.Config.AckWait, 0), "ack_wait of the consumer"
	if len(i.Config.BackOff) > 0 {
		r.After, r.Setting = max(slices.Min(i.Config.BackOff), 0), "backoff of the consumer"
	}
	r.Unless = "the worker says in time, again and again, that it is in progress"
	r.Again, r.Deliveries = i.NumAgain > 0, max(i.Config.MaxDeliver, 0)
	return r
}

// redeliveries has what the answers about consumers say beside their depths.
type redeliveries struct {
	mu sync.Mutex
	of map[key]noted
}

type noted struct {
	broker.Redelivery
	at time.Time
}

func (r *redeliveries) note(k key, of broker.Redelivery, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = map[key]noted{}
	}
	r.of[k] = noted{of, now}
}

// told has what is known of the queues, and forgets those that were not read for long.
func (r *redeliveries) told(queries []broker.Query, now time.Time) []broker.Redelivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.of, func(_ key, n noted) bool { return now.Sub(n.at) > forgetAfter })
	all := make([]broker.Redelivery, len(queries))
	for i, q := range queries {
		all[i] = r.of[key{q.Queue, q.Group}].Redelivery
	}
	return all
}

// Redeliveries is broker.RedeliveryReader's. It takes no round trip: the answers to Depths have it. What depths were not read
// of is not known.
func (d *driver) Redeliveries(_ context.Context, queries []broker.Query) ([]broker.Redelivery, error) {
	if d.closed.Err() != nil {
		return nil, classify(nats.ErrConnectionClosed, d.config)
	}
	return d.redeliveries.told(queries, time.Now()), nil
}
