package nats

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/quickube/qscaler/internal/broker"
)

const (
	// learnAgain is how long the subjects of a stream are taken for its own; learnSoon is the same where they are not known.
	learnAgain = time.Minute
	learnSoon  = 5 * time.Second
	// forgetAfter is how long a queue is remembered that is not asked for any more.
	forgetAfter = 5 * time.Minute
	// mostBells bounds the subscriptions: a server may name other subjects at each look.
	mostBells = 10_000
)

// again are the pauses after which the doorbell rings once more, while the queue is still empty: the server passes a message
// on to subscribers before the stream has it.
var again = []time.Duration{10 * time.Millisecond, 30 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond}

// bells are the doorbell: subscriptions to the subjects of queues that are empty, or have no worker. Each ends by itself
// after one message. The next read makes it anew.
type bells struct {
	driver *driver
	ring   broker.Doorbell
	rings  chan *nats.Msg

	mu      sync.Mutex
	streams map[string]*stream
	watched map[key]*watched
	bells   map[place]*bell
	subs    map[*nats.Subscription]place
	pruned  time.Time
}

// stream is what is known of a stream.
type stream struct {
	// subjects are its own; transformed is true where its messages have others once they are stored.
	subjects    []string
	transformed bool
	// unread is true where its subjects could not be asked for.
	unread bool
	// mute is why it does not ring, "" where it does.
	mute  string
	until time.Time
}

// watched is what is known of a queue.
type watched struct {
	filters []string
	learnt  bool
	empty   bool
	// rung is how often it has rung since a message may have come; 0 for none.
	rung  int
	asked time.Time
}

// place is a subject that is subscribed to for a stream.
type place struct{ stream, subject string }

// bell is one subscription, and the queues that it rings for.
type bell struct {
	sub  *nats.Subscription
	keys map[key]time.Time
}

func newBells(d *driver, ring broker.Doorbell) *bells {
	b := &bells{
		driver: d, ring: ring, rings: make(chan *nats.Msg, mostLines),
		streams: map[string]*stream{}, watched: map[key]*watched{}, bells: map[place]*bell{}, subs: map[*nats.Subscription]place{},
	}
	if ring == nil {
		b.ring = func(...string) {}
	}
	go b.listen()
	return b
}

func (b *bells) listen() {
	for {
		select {
		case m := <-b.rings:
			b.missed(m.Sub)
		case <-b.driver.closed.Done():
			return
		}
	}
}

// len is how many messages may come that were not asked for.
func (b *bells) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.bells)
}

// missed rings for the queues of a subscription that has had its message, whether that was read or not.
func (b *bells) missed(sub *nats.Subscription) {
	b.mu.Lock()
	at, ok := b.subs[sub]
	if ok {
		for k := range b.bells[at].keys {
			if w := b.watched[k]; w != nil {
				w.rung = 1
			}
		}
		delete(b.bells, at)
		delete(b.subs, sub)
	}
	b.mu.Unlock()
	if ok {
		b.ringFor(at.stream)
	}
}

func (b *bells) ringFor(stream string) {
	if b.driver.closed.Err() == nil {
		b.ring(stream)
	}
}

// seen rings once more, after a pause, for a queue that has rung and is still empty.
func (b *bells) seen(k key, d broker.Depth) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.watched[k]
	if w == nil {
		return
	}
	w.empty = d.Waiting.N+d.InFlight.N == 0
	if w.rung == 0 {
		return
	}
	if !w.empty || w.rung > len(again) {
		w.rung = 0
		return
	}
	pause := again[w.rung-1]
	w.rung++
	time.AfterFunc(pause, func() { b.ringFor(k.stream) })
}

// unknown are the queues and streams whose subjects must be asked for.
type unknown struct {
	streams []string
	keys    []key
}

// unknown finds them among the queues without a worker.
func (b *bells) unknown(keys []key, atZero map[key]bool, now time.Time) unknown {
	b.mu.Lock()
	defer b.mu.Unlock()
	var u unknown
	asked := map[string]bool{}
	for _, k := range keys {
		w := b.watched[k]
		if w == nil {
			w = &watched{}
			b.watched[k] = w
		}
		w.asked = now
		if !atZero[k] && !w.empty {
			continue
		}
		if !w.learnt {
			u.keys = append(u.keys, k)
		}
		if s := b.streams[k.stream]; (s == nil || now.After(s.until)) && !asked[k.stream] {
			asked[k.stream] = true
			u.streams = append(u.streams, k.stream)
		}
	}
	return u
}

// learnConsumer takes in which messages a consumer takes; all, where it does not exist yet.
func (b *bells) learnConsumer(k key, info consumerInfo) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.watched[k]; w != nil {
		w.filters, w.learnt = info.filters(), true
	}
}

// learnStream takes in by which subjects messages come into a stream. A stream that does not exist is asked for again soon,
// and is no reason to poll.
func (b *bells) learnStream(name string, info streamInfo, err error, now time.Time) {
	s := &stream{until: now.Add(learnAgain)}
	shown := broker.Words(name, broker.Secret{})
	var refused *apiError
	switch {
	case errors.As(err, &refused):
		s.until = now.Add(learnSoon)
	case err != nil:
		s.unread = true
	case bool(info.Config.Mirror), bool(info.Config.Sources):
		s.mute = fmt.Sprintf("the stream %q is filled from another one, which no subject tells of", shown)
	case len(info.Config.Subjects) > mostSubjects:
		s.mute = fmt.Sprintf("the stream %q has more than %d subjects", shown, mostSubjects)
	default:
		s.subjects, s.transformed = info.Config.Subjects, bool(info.Config.Transform)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.streams[name] = s
}

// arm subscribes to what tells of new messages of queues that are empty, or have no worker. What is sent here goes before
// the requests that follow: no message comes in between.
func (b *bells) arm(keys []key, atZero map[key]bool, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range keys {
		if w := b.watched[k]; atZero[k] || w.empty {
			b.armOne(k, w, now)
		}
	}
	if now.Sub(b.pruned) > learnAgain {
		b.pruned = now
		b.prune(now)
	}
}

func (b *bells) armOne(k key, w *watched, now time.Time) {
	s := b.streams[k.stream]
	if s == nil {
		return
	}
	subjects := s.subjects
	if len(w.filters) > 0 && !s.transformed {
		subjects = w.filters
	}
	switch {
	case len(subjects) == 0 && s.unread:
		s.mute = fmt.Sprintf("the subjects of the stream %q could not be read", broker.Words(k.stream, broker.Secret{}))
	case len(subjects) > mostSubjects:
		s.mute = fmt.Sprintf("the consumer %q has more than %d subjects", broker.Words(k.consumer, broker.Secret{}), mostSubjects)
		return
	}
	for _, subject := range subjects {
		at := place{k.stream, subject}
		one := b.bells[at]
		if one == nil {
			if one = b.subscribe(at); one == nil {
				s.mute = fmt.Sprintf("the stream %q has subjects that cannot be subscribed to, or too much of them", broker.Words(k.stream, broker.Secret{}))
				continue
			}
		}
		one.keys[k] = now
	}
}

func (b *bells) subscribe(at place) *bell {
	if !isSubject(at.subject) || len(b.bells) >= mostBells {
		return nil
	}
	sub, err := b.driver.conn.ChanSubscribe(at.subject, b.rings)
	if err != nil {
		return nil
	}
	if err := sub.AutoUnsubscribe(1); err != nil {
		return nil
	}
	one := &bell{sub: sub, keys: map[key]time.Time{}}
	b.bells[at], b.subs[sub] = one, at
	return one
}

// refused takes in that a subject may not be subscribed to.
func (b *bells) refused(subject string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for at, one := range b.bells {
		if at.subject != subject {
			continue
		}
		delete(b.bells, at)
		delete(b.subs, one.sub)
		if s := b.streams[at.stream]; s != nil {
			s.mute = fmt.Sprintf("the server does not let this user subscribe to %q", broker.Words(subject, broker.Secret{}))
			s.subjects = slices.DeleteFunc(slices.Clone(s.subjects), func(s string) bool { return s == subject })
		}
	}
}

// full takes in that this user may have no more subscriptions. Nobody knows which of them there are not.
func (b *bells) full() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.streams {
		s.mute = "the server lets this user have no more subscriptions"
	}
}

// prune forgets what is not asked for any more.
func (b *bells) prune(now time.Time) {
	old := func(t time.Time) bool { return now.Sub(t) > forgetAfter }
	for at, one := range b.bells {
		maps.DeleteFunc(one.keys, func(_ key, asked time.Time) bool { return old(asked) })
		if len(one.keys) == 0 {
			_ = one.sub.Unsubscribe()
			delete(b.bells, at)
			delete(b.subs, one.sub)
		}
	}
	used := map[string]bool{}
	maps.DeleteFunc(b.watched, func(k key, w *watched) bool {
		if old(w.asked) {
			return true
		}
		used[k.stream] = true
		return false
	})
	maps.DeleteFunc(b.streams, func(name string, _ *stream) bool { return !used[name] })
}

// pushes is false while messages of some queue come without a ring; it then says of the first.
func (b *bells) pushes() (ok bool, why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.streams {
		if s.mute != "" && (why == "" || strings.Compare(s.mute, why) < 0) {
			why = s.mute
		}
	}
	return why == "", why
}
