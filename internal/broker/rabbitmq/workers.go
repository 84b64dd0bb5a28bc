package rabbitmq

import (
	"context"
	"errors"
	"io"
	"net/netip"

	"github.com/quickube/qscaler/internal/broker"
)

// workers are the channels that hold messages, by the address that they come from.
type workers struct {
	channels map[netip.Addr][]channel
	// automatic has the queues with a consumer whose messages are acknowledged as they are sent: nobody knows how long it
	// is at work with them.
	automatic map[string]bool
}

// channel is one with messages that are not acknowledged.
type channel struct {
	unacked int64
	// queue is the one that it consumes, "" where that is none or one of several: its messages may be of any then.
	queue string
}

// readWorkers asks who consumes, and which channels hold messages. What this user may not know, or the server does not keep,
// is nil.
func (m *management) readWorkers(ctx context.Context) (*workers, error) {
	w := &workers{channels: map[netip.Addr][]channel{}, automatic: map[string]bool{}}
	consumed, err := m.consumers(ctx, w.automatic)
	if err == nil {
		err = m.channels(ctx, consumed, w.channels)
	}
	var refused status
	if errors.As(err, &refused) {
		return nil, nil
	}
	return w, err
}

type named struct {
	Name string `json:"name"`
}

// consumers has the queue of each channel that consumes one, and "" for those that consume several. It notes the
// queues with automatic acknowledgement.
func (m *management) consumers(ctx context.Context, automatic map[string]bool) (consumed map[string]string, err error) {
	type consumer struct {
		Queue       object[named] `json:"queue"`
		AckRequired *bool         `json:"ack_required"`
		Channel     object[named] `json:"channel_details"`
	}
	consumed = map[string]string{}
	path := "/api/consumers/" + escaped(m.config.VHost) + "?columns=queue.name,ack_required,channel_details.name"
	return consumed, m.get(ctx, path, func(in io.Reader) error {
		return decodeList(in, most, func(c consumer) error {
			queue, channel := c.Queue.value.Name, c.Channel.value.Name
			if c.AckRequired == nil || !*c.AckRequired {
				automatic[queue] = true
			}
			if other, seen := consumed[channel]; seen && other != queue {
				queue = ""
			}
			consumed[channel] = queue
			return nil
		})
	})
}

type peer struct {
	Host string `json:"peer_host"`
}

// channels notes the channels that hold messages.
func (m *management) channels(ctx context.Context, consumed map[string]string, by map[netip.Addr][]channel) error {
	type open struct {
		Name       string       `json:"name"`
		Unacked    *int64       `json:"messages_unacknowledged"`
		Connection object[peer] `json:"connection_details"`
	}
	path := "/api/vhosts/" + escaped(m.config.VHost) + "/channels?columns=name,messages_unacknowledged,connection_details.peer_host"
	return m.get(ctx, path, func(in io.Reader) error {
		return decodeList(in, most, func(c open) error {
			address, err := netip.ParseAddr(c.Connection.value.Host)
			switch {
			case err != nil || c.Unacked == nil || *c.Unacked == 0: // of this channel nothing is known yet, or it holds nothing
				return nil
			case *c.Unacked < 0:
				return errNoNumber
			}
			address = address.Unmap()
			by[address] = append(by[address], channel{*c.Unacked, consumed[c.Name]})
			return nil
		})
	})
}

// heldOf has the workers that hold messages of a queue, and how many at least. Of no other worker it says anything: one
// that seems to hold nothing may have taken a message since, or acknowledge before it works.
func (w *workers) heldOf(q broker.Query) map[string]int64 {
	held := map[string]int64{}
	for address, pod := range byAddress(q.Workers) {
		n := int64(0)
		for _, c := range w.channels[address] {
			if c.queue == q.Queue {
				n += c.unacked
			}
		}
		if n > 0 {
			held[pod] = n
		}
	}
	return held
}

// byAddress has the worker of each address that is one worker's alone.
func byAddress(all []broker.Worker) map[netip.Addr]string {
	by, shared := map[netip.Addr]string{}, map[netip.Addr]bool{}
	for _, w := range all {
		address, err := netip.ParseAddr(w.PodIP)
		if err != nil {
			continue
		}
		if address = address.Unmap(); by[address] != "" {
			shared[address] = true
		}
		by[address] = w.PodName
	}
	for address := range shared {
		delete(by, address)
	}
	return by
}
