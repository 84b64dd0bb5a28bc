package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/quickube/qscaler/internal/broker"
)

// How many answers come at most: one to each request.
const (
	answersToDeclare = 2 // of each queue: a channel is open, and the queue is there or the channel closed
	answersToAsk     = 2 // a channel is open, and its bound is set
)

// declared is what a queue says of itself.
type declared struct {
	// ready counts the messages that wait. A queue that is not there has none.
	ready int64
	// err is why this queue, and no other, cannot be asked.
	err error
}

// declare asks each queue, on several channels at once. A channel ends with the first queue that is not there, and another
// is opened; that takes two more round trips. An error means that nothing is known of any queue.
func (l *link) declare(ctx context.Context, queues []string) ([]declared, error) {
	defer context.AfterFunc(ctx, func() { _ = l.wire.Close() })()
	l.wire.expect(answersToDeclare * len(queues))
	answers := make([]declared, len(queues))
	var (
		group sync.WaitGroup
		next  atomic.Int64
		first firstError
	)
	for lane := range min(len(l.lanes), len(queues)) {
		group.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(queues) {
					return
				}
				var err error
				if answers[i], err = l.declareOn(lane, queues[i]); err == nil {
					continue
				}
				first.note(err)
				next.Store(int64(len(queues))) // the others need not go on
				return
			}
		})
	}
	group.Wait()
	first.note(ctx.Err())
	if first.err != nil {
		return nil, l.config.failed(ctx, l.wire, first.err)
	}
	return answers, nil
}

// firstError keeps the first error of several goroutines.
type firstError struct {
	mu  sync.Mutex
	err error
}

func (f *firstError) note(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

// declareOn asks one queue on a channel of its own.
func (l *link) declareOn(lane int, queue string) (declared, error) {
	ch, err := l.open(lane)
	if err != nil {
		return declared{}, err
	}
	found, err := ch.QueueDeclarePassive(queue, false, false, false, false, nil)
	if err == nil {
		if found.Name != queue || found.Messages < 0 {
			return declared{}, strange{fmt.Sprintf("the server answered of the queue %q, and was asked of %q", broker.Words(found.Name, l.config.Password), broker.Words(queue, l.config.Password))}
		}
		return declared{ready: int64(found.Messages)}, nil
	}
	l.lanes[lane] = nil
	var refused *amqp.Error
	if !errors.As(err, &refused) || !refused.Server || l.conn.IsClosed() {
		return declared{}, err
	}
	switch {
	case refused.Code == amqp.NotFound && strings.HasPrefix(refused.Reason, noSuchQueue):
		return declared{}, nil
	case refused.Code == amqp.NotFound, refused.Code == amqp.AccessRefused, refused.Code == amqp.ResourceLocked, refused.Code == amqp.PreconditionFailed:
		return declared{err: l.config.queueError(queue, refused)}, nil
	}
	return declared{}, err
}

// open is the channel of a lane.
func (l *link) open(lane int) (ch *amqp.Channel, err error) {
	if l.lanes[lane] == nil {
		l.lanes[lane], err = l.conn.Channel()
	}
	return l.lanes[lane], err
}

// ask makes sure that the server answers.
func (l *link) ask(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { _ = l.wire.Close() })()
	l.wire.expect(answersToAsk)
	ch, err := l.open(0)
	if err == nil {
		err = ch.Qos(1, 0, false)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return l.config.failed(ctx, l.wire, err)
	}
	return nil
}
