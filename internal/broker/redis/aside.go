package redis

import (
	"cmp"
	"time"

	"github.com/redis/rueidis"
)

// aside is a question that goes with a read, in the same round trip, and what its answer says against the server. It comes
// after the read: what the server is then, it was no less a moment before.
type aside struct {
	ask     rueidis.Completed
	against func(rueidis.RedisResult) error
}

// asides are those of the next read, the first of whose queues has this name; "" where no queue is read.
func (d *driver) asides(now time.Time, queue string) (asides []aside) {
	// A user of its own may write the keys of its queues alone: any other is refused, and noted in the server's ACL LOG.
	if known := queue != "" || d.config.Username == ""; known && d.writable.due(now) {
		asides = append(asides, aside{d.layout.harmless(d.client.B(), cmp.Or(queue, "qscaler")), d.refusesWrites})
	}
	if d.follower != nil {
		asides = append(asides, aside{d.client.B().Hello().Build(), d.isNoMaster})
	}
	return asides
}
