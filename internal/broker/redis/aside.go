package redis

import (
	"time"

	"github.com/redis/rueidis"
)

// aside is a question that goes with a read, in the same round trip, and what its answer says against the server. It comes
// after the read: what the server is then, it was no less a moment before.
type aside struct {
	ask     rueidis.Completed
	against func(rueidis.RedisResult) error
}

// asides are those of the next read, the first of whose queues has this name.
func (d *driver) asides(now time.Time, queue string) (asides []aside) {
	if d.writable.due(now) {
		asides = append(asides, aside{d.layout.harmless(d.client.B(), queue), d.refusesWrites})
	}
	if d.follower != nil {
		asides = append(asides, aside{d.client.B().Hello().Build(), d.isNoMaster})
	}
	return asides
}
