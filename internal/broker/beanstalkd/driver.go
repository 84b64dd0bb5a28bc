package beanstalkd

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/quickube/qscaler/internal/broker"
)

// driver reads depths over one connection, which a failed read ends. It reads ages over others; see OldestAges.
type driver struct {
	config Config
	*connection
	// turn is held by whoever reads depths.
	turn chan struct{}
	// broken is why nobody can read depths any more; whoever has the turn may touch it.
	broken error
	// closed ends with the driver.
	closed context.Context
	end    context.CancelFunc
}

// Open connects to a Beanstalkd server. It never rings: the server tells of no changes.
func Open(ctx context.Context, c Config, _ broker.Doorbell) (broker.Driver, error) {
	conn, err := dial(ctx, c)
	if err != nil {
		return nil, classify(err, c)
	}
	d := &driver{config: c, connection: conn, turn: make(chan struct{}, 1)}
	d.closed, d.end = context.WithCancel(context.WithoutCancel(ctx))
	return d, nil
}

// Close ends the connections, and with them the reads that are under way.
func (d *driver) Close() {
	d.end()
	_ = d.conn.Close()
}

// Depths asks for all tubes in one pipeline.
func (d *driver) Depths(ctx context.Context, queries []broker.Query) ([]broker.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return nil, classify(ctx.Err(), d.config)
	}
	if d.broken != nil {
		return nil, d.broken
	}
	answers := make([]broker.Answer, len(queries))
	commands, asked := pipeline(queries, answers)
	err := d.exchange(ctx, commands, func(in *bufio.Reader) error { return readReplies(in, queries, answers, asked) })
	if err != nil {
		d.broken = failed(ctx, err, d.config)
		_ = d.conn.Close()
		return nil, d.broken
	}
	return answers, nil
}

// pipeline has the commands, and which queries they are for; a name that no tube can have is answered at once.
// Without any, it asks for something that every server knows.
func pipeline(queries []broker.Query, answers []broker.Answer) (commands string, asked []int) {
	var b strings.Builder
	for i, q := range queries {
		err := checkTube(q.Queue)
		if err == nil {
			err = broker.NoGroup(q, "a tube")
		}
		if err != nil {
			answers[i].Err = err
			continue
		}
		fmt.Fprintf(&b, "stats-tube %s\r\n", q.Queue)
		asked = append(asked, i)
	}
	if len(asked) == 0 {
		return "list-tube-used\r\n", nil
	}
	return b.String(), asked
}

func readReplies(in *bufio.Reader, queries []broker.Query, answers []broker.Answer, asked []int) error {
	if len(asked) == 0 {
		line, err := readLine(in)
		if err == nil && !strings.HasPrefix(line, "USING ") {
			err = refusal{line}
		}
		return err
	}
	for _, i := range asked {
		depth, err := readDepth(in, queries[i].Queue)
		if err != nil {
			return err
		}
		answers[i].Depth = depth
	}
	return nil
}
