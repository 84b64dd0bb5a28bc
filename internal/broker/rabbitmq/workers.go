package rabbitmq

import (
	"context"
	"errors"
	"hash/maphash"
	"io"
	"net/netip"

	"github.com/quickube/qscaler/internal/broker"
)

// workers are who holds messages, as far as that was asked for.
type workers struct {
	// held has how many messages of a queue the channels hold that come from an address.
	held map[netip.Addr]map[string]int64
	// automatic has the queues with a consumer whose messages are acknowledged as they are sent: nobody knows how long it
	// is at work with them.
	automatic map[string]bool
}

// channel is one with messages that are not acknowledged.
type channel struct {
	address netip.Addr
	unacked int64
	// consumes is true once it is known to consume a queue. That is "" where it is one of several, or none that was asked
	// for: its messages may be of any then.
	consumes bool
	queue    string
}

// channels are those of the workers that were asked for, by a hash of their names: these may be long.
type channels struct {
	seed maphash.Seed
	by   map[uint64]*channel
	// tooMany is true where the server has told of more than most.
	most    int
	tooMany bool
}

// How many channels with messages are kept: more than workers have, and few where there are few workers.
const (
	channelsOfWorker = 100
	channelsBeside   = 1000
)

// readWorkers asks which channels hold messages, and who consumes. What this user may not know, or the server does not keep,
// is nil, and so is what has more channels than can be.
func (m *management) readWorkers(ctx context.Context, a *asked) (*workers, error) {
	w := &workers{held: map[netip.Addr]map[string]int64{}, automatic: map[string]bool{}}
	open := &channels{seed: maphash.MakeSeed(), by: map[uint64]*channel{}, most: channelsBeside + channelsOfWorker*len(a.addresses)}
	err := m.readChannels(ctx, a, open)
	if err == nil && !open.tooMany {
		err = m.readConsumers(ctx, a, open, w.automatic)
	}
	var refused status
	if errors.As(err, &refused) || (err == nil && open.tooMany) {
		return nil, nil
	}
	for _, c := range open.by {
		w.add(c)
	}
	return w, err
}

func (w *workers) add(c *channel) {
	if c.queue == "" {
		return
	}
	if w.held[c.address] == nil {
		w.held[c.address] = map[string]int64{}
	}
	w.held[c.address][c.queue] += c.unacked
}

type named struct {
	Name string `json:"name"`
}

// readConsumers notes the queue that a channel consumes, and the queues with automatic acknowledgement.
func (m *management) readConsumers(ctx context.Context, a *asked, open *channels, automatic map[string]bool) error {
	type consumer struct {
		Queue       object[named] `json:"queue"`
		AckRequired *bool         `json:"ack_required"`
		Channel     object[named] `json:"channel_details"`
	}
	path := "/api/consumers/" + escaped(m.config.VHost) + "?columns=queue.name,ack_required,channel_details.name"
	return m.get(ctx, path, func(in io.Reader) error {
		return decodeList(in, most, func(c consumer) error {
			queue := c.Queue.value.Name
			if _, wanted := a.queues[queue]; !wanted {
				queue = ""
			} else if c.AckRequired == nil || !*c.AckRequired {
				automatic[queue] = true
			}
			if ch := open.by[maphash.String(open.seed, c.Channel.value.Name)]; ch != nil {
				ch.consume(queue)
			}
			return nil
		})
	})
}

// consume notes that it consumes a queue, "" for one that was not asked for.
func (c *channel) consume(queue string) {
	if c.consumes && c.queue != queue {
		queue = ""
	}
	c.consumes, c.queue = true, queue
}

type peer struct {
	Host string `json:"peer_host"`
}

// readChannels notes the channels of workers that hold messages.
func (m *management) readChannels(ctx context.Context, a *asked, found *channels) error {
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
			case !isCount(*c.Unacked):
				return errNoNumber
			}
			address = address.Unmap()
			if _, wanted := a.addresses[address]; !wanted {
				return nil
			}
			if found.tooMany = found.tooMany || len(found.by) >= found.most; found.tooMany {
				return nil
			}
			found.by[maphash.String(found.seed, c.Name)] = &channel{address: address, unacked: *c.Unacked}
			return nil
		})
	})
}

// heldOf has the workers that hold messages of a queue, and how many at least. Of no other worker it says anything: one
// that seems to hold nothing may have taken a message since, or acknowledge before it works.
func (w *workers) heldOf(q broker.Query) map[string]int64 {
	held := map[string]int64{}
	for address, pod := range byAddress(q.Workers) {
		if n := w.held[address][q.Queue]; n > 0 {
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
