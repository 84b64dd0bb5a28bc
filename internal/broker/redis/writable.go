package redis

import (
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
)

// writableInterval is how often the server is asked whether it takes writes: a replica, or a server that cannot
// save, answers every read, and no worker can take a task from it.
const writableInterval = 5 * time.Second

// writable knows when the server was last asked whether it takes writes.
type writable struct {
	mu    sync.Mutex
	asked time.Time
}

// due reports whether it is time to ask, and if so notes that it was done.
func (w *writable) due(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Sub(w.asked) < writableInterval {
		return false
	}
	w.asked = now
	return true
}

// refusesWrites is why the server takes no writes, nil where it does. That this user may not try says nothing.
func (d *driver) refusesWrites(reply rueidis.RedisResult) error {
	err := classify(reply.Error(), d.config)
	if err != nil && broker.ReasonOf(err) == broker.ReasonReadOnly {
		return err
	}
	return nil
}
