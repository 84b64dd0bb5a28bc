package rabbitmq

import (
	"maps"
	"net/netip"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// askedFor is for how long a queue or a worker is looked for in answers after somebody has asked of it: longer than any
// queue goes unread.
const askedFor = time.Minute

// asked has the queues and the addresses of workers of which somebody has asked, and when that last was. Nothing else of
// an answer is kept: the server says how much there is, and a server that lies must not fill the memory of all.
type asked struct {
	queues    map[string]time.Time
	addresses map[netip.Addr]time.Time
}

func newAsked() *asked {
	return &asked{queues: map[string]time.Time{}, addresses: map[netip.Addr]time.Time{}}
}

// note takes in what is asked now, and forgets what was not asked for long.
func (a *asked) note(queries []broker.Query, withWorkers bool, now time.Time) {
	for _, q := range queries {
		a.queues[q.Queue] = now
		if !withWorkers {
			continue
		}
		for _, w := range q.Workers {
			if address, err := netip.ParseAddr(w.PodIP); err == nil {
				a.addresses[address.Unmap()] = now
			}
		}
	}
	maps.DeleteFunc(a.queues, func(_ string, at time.Time) bool { return now.Sub(at) > askedFor })
	maps.DeleteFunc(a.addresses, func(_ netip.Addr, at time.Time) bool { return now.Sub(at) > askedFor })
}
