package postgres

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/quickube/qscaler/internal/broker"
)

// doorbell has who reads over the one connection: depths, and else whoever listens.
type doorbell struct {
	channel string
	ring    broker.Doorbell
	// turn is held by whoever uses the connection.
	turn chan struct{}
	// free is told when nobody wants to read depths any more.
	free chan struct{}

	mu sync.Mutex
	// readers want the turn, and interrupt ends the listening, which is nil where nobody listens.
	readers   int
	interrupt context.CancelFunc
	// queues are those that were asked for: what a notification may name.
	queues map[string]bool
}

func newDoorbell(channel string, ring broker.Doorbell) *doorbell {
	return &doorbell{channel: channel, ring: ring, turn: make(chan struct{}, 1), free: make(chan struct{}, 1), queues: map[string]bool{}}
}

// Pushes is broker.Pusher's.
func (b *doorbell) Pushes() (ok bool, why string) {
	if b.channel == "" {
		return false, "config.postgres.channel is not set, which would name what the database notifies of new messages"
	}
	return true, ""
}

// notified rings for the queue that a notification names, and for all where it names none that is known.
func (b *doorbell) notified(payload string) {
	b.mu.Lock()
	known := b.queues[payload]
	b.mu.Unlock()
	if known {
		b.ring(payload)
	} else {
		b.ring()
	}
}

// know notes which queues there are.
func (b *doorbell) know(queries []broker.Query) {
	if b.channel == "" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, q := range queries {
		b.queues[q.Queue] = true
	}
}

// takeTurn waits for the connection. Who listens makes way.
func (b *doorbell) takeTurn(ctx context.Context) error {
	b.mu.Lock()
	b.readers++
	if b.interrupt != nil {
		b.interrupt()
	}
	b.mu.Unlock()
	select {
	case b.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		b.noReader()
		return ctx.Err()
	}
}

func (b *doorbell) endTurn() {
	<-b.turn
	b.noReader()
}

func (b *doorbell) noReader() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.readers--; b.readers > 0 {
		return
	}
	select {
	case b.free <- struct{}{}:
	default:
	}
}

// beginListening has the context of one wait for a notification, none where somebody wants to read.
func (b *doorbell) beginListening(ctx context.Context) (context.Context, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.readers > 0 {
		return nil, false
	}
	ctx, b.interrupt = context.WithCancel(ctx)
	return ctx, true
}

func (b *doorbell) endListening() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.interrupt()
	b.interrupt = nil
}

// readOnly is the code of what a standby does not do.
const readOnly = "25006"

// subscribe has the server notify this connection.
func (d *driver) subscribe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	d.guard.allow(0)
	_, err := d.ExecParams(ctx, "LISTEN "+quote(d.channel), nil, nil, nil, nil).Close()
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == readOnly {
		return errReplica
	}
	return err
}

// listen waits for notifications whenever nobody reads depths, until the driver is closed or the connection breaks. Where
// it breaks, it rings, so that somebody reads, and is told.
func (d *driver) listen() {
	for {
		select {
		case d.turn <- struct{}{}:
		case <-d.closed.Done():
			return
		}
		waits, broken := d.listenOnce()
		<-d.turn
		if broken {
			if d.closed.Err() == nil {
				d.ring()
			}
			return
		}
		if waits {
			continue
		}
		select {
		case <-d.free:
		case <-d.closed.Done():
			return
		}
	}
}

// listenOnce waits for notifications until somebody wants to read. The guard takes them, so that the library sees none. It
// has the turn.
func (d *driver) listenOnce() (waits, broken bool) {
	if d.broken != nil || d.closed.Err() != nil {
		return false, true
	}
	ctx, ok := d.beginListening(d.closed)
	if !ok {
		return false, false
	}
	defer d.endListening()
	d.guard.allow(0)
	err := d.wait(ctx)
	if ctx.Err() != nil && !d.IsClosed() {
		return true, false
	}
	d.abort()
	d.broken = d.failed(err)
	return false, true
}

// wait contains a panic of the library: nobody else would.
func (d *driver) wait(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the client library has panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return d.WaitForNotification(ctx)
}
