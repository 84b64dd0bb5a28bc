package rabbitmq

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/quickube/qscaler/internal/broker"
)

// defaultTimeout is consumer_timeout of a server that is not configured otherwise. No server tells its own.
const defaultTimeout = 30 * time.Minute

// version is so much of a server's as is looked at.
type version struct{ major, minor int }

// versionOf reads what a server says of itself when somebody logs in. What cannot be read is older than all.
func versionOf(said any) (v version) {
	text, _ := said.(string)
	if _, err := fmt.Sscanf(text, "%d.%d", &v.major, &v.minor); err != nil {
		return version{}
	}
	return v
}

func (v version) from(major, minor int) bool {
	return v.major > major || (v.major == major && v.minor >= minor)
}

// setsByQueue reports whether a queue may have a limit of its own.
func (v version) setsByQueue() bool { return v.from(3, 12) }

// limits reports whether queues of a type have a limit at all.
func (v version) limits(kind string) bool { return kind == "quorum" || !v.from(4, 3) }

// Redeliveries is broker.RedeliveryReader's. It is one request to the management API for all queues of the virtual host,
// where a queue can have a limit of its own, and else none.
func (d *driver) Redeliveries(ctx context.Context, queries []broker.Query) ([]broker.Redelivery, error) {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	defer context.AfterFunc(d.closed, cancel)()
	if d.closed.Err() != nil {
		return nil, d.config.classify(amqp.ErrClosed, true)
	}
	v := versionOf(d.link.conn.Properties["version"])
	all := make([]broker.Redelivery, len(queries))
	for i := range all {
		all[i] = byServer()
	}
	if d.management == nil || !v.setsByQueue() {
		return all, nil
	}
	own, err := d.management.ownLimits(ctx, v, queries)
	if err != nil {
		return nil, err
	}
	for i, q := range queries {
		if r, found := own[q.Queue]; found {
			all[i] = r
		}
	}
	return all, nil
}

// byServer is the limit of a queue without one of its own.
func byServer() broker.Redelivery {
	return broker.Redelivery{
		Known: true, After: defaultTimeout, Setting: "the default of the server's consumer_timeout",
		Unless: "the server has another consumer_timeout, which it does not tell",
	}
}

// milliseconds is a number of them that can be a limit; 0 for anything else.
type milliseconds int64

// UnmarshalJSON is json.Unmarshaler's. A queue's arguments are whatever somebody has declared it with.
func (m *milliseconds) UnmarshalJSON(text []byte) error {
	var n int64
	if json.Unmarshal(text, &n) != nil || n < 0 || n > int64(mostTimeout/time.Millisecond) {
		n = 0
	}
	*m = milliseconds(n)
	return nil
}

// mostTimeout is more than any limit is.
const mostTimeout = 100 * 365 * 24 * time.Hour

// ownLimits has the limits of the queues that have one of their own, and of those that have none at all.
func (m *management) ownLimits(ctx context.Context, v version, queries []broker.Query) (map[string]broker.Redelivery, error) {
	wanted := make(map[string]bool, len(queries))
	for _, q := range queries {
		wanted[q.Queue] = true
	}
	type queue struct {
		Name      string `json:"name"`
		Type      string `json:"type"`
		Arguments object[struct {
			Timeout milliseconds `json:"x-consumer-timeout"`
		}] `json:"arguments"`
		Policy object[struct {
			Timeout milliseconds `json:"consumer-timeout"`
		}] `json:"effective_policy_definition"`
	}
	own := map[string]broker.Redelivery{}
	path := "/api/queues/" + escaped(m.config.VHost) + "?disable_stats=true&columns=name,type,arguments,effective_policy_definition"
	err := m.get(ctx, path, func(in io.Reader) error {
		return decodeList(in, most, func(q queue) error {
			if !wanted[q.Name] {
				return nil
			}
			argument, policy := time.Duration(q.Arguments.value.Timeout)*time.Millisecond, time.Duration(q.Policy.value.Timeout)*time.Millisecond
			switch {
			case !v.limits(q.Type):
				own[q.Name] = broker.Redelivery{Known: true}
			case argument > 0 && (policy == 0 || argument <= policy): // the server takes the shorter one
				own[q.Name] = broker.Redelivery{Known: true, After: argument, Setting: "the queue's argument x-consumer-timeout"}
			case policy > 0:
				own[q.Name] = broker.Redelivery{Known: true, After: policy, Setting: "consumer-timeout in the queue's policy"}
			}
			return nil
		})
	})
	return own, err
}
