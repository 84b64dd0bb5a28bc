// A QScaler worker on the drain file alone: no SDK, no Kubernetes client.
//
// A task belongs to its pod: what the list {queue}:processing:<POD_NAME> holds is this pod's to finish, whichever
// process put it there. So the worker looks at that list before it takes anything new. That one rule covers a
// crash of the process, a reply that does not arrive and a restart of Redis alike.
package main

import (
	"cmp"
	"context"
	"log"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/worker/drain"
	"github.com/quickube/qscaler/worker/redislist"
)

type worker struct {
	redis      rueidis.Client // nil until Redis has answered once
	queue      string
	processing string // the list of what this pod has in flight
	leave      *drain.Watcher
	done       *string // the task that is finished and not acknowledged yet
}

func main() {
	leave := drain.Watch(context.Background(), drain.WithSignals(syscall.SIGTERM)) // Ctrl-C ends it at once
	defer leave.Stop()
	queue := required("QSCALER_QUEUE")
	w := worker{
		queue:      queue,
		processing: redislist.Processing(queue, required("POD_NAME")),
		leave:      leave,
	}
	w.run()
}

// run returns when the worker may leave and holds no task.
func (w *worker) run() {
	var locked lockout
	for failures := 0; ; {
		leave, err := w.turn()
		if leave {
			return
		}
		locked.note(err)
		if err == nil {
			failures = 0
			continue
		}
		failures++
		log.Print(err)
		if locked.isOver() {
			log.Fatalf("Redis has refused the password for %s, and a restart may have another", refusedFor)
		}
		// One failure may be a reply that did not arrive, with a task in our list: look again first. If Redis stays away,
		// nothing is gained by waiting; only a finished task must be acknowledged, or it is done twice.
		if failures > 1 && w.done == nil {
			if _, told := w.leave.Look(); told {
				return
			}
		}
		// Longer than the 1 s for which a BLMOVE whose connection broke may still be blocked in Redis.
		time.Sleep(min(time.Duration(failures)*1500*time.Millisecond, 5*time.Second))
	}
}

// turn acknowledges what is done and does the oldest task that this pod holds. Where it holds none, it
// leaves if it may, and takes a task otherwise.
func (w *worker) turn() (leave bool, err error) {
	if w.redis == nil {
		if w.redis, err = connect(); err != nil {
			w.redis = nil
			return false, err
		}
	}
	// Redis answers within the second of BLMOVE. A connection that hangs is given up, and Redis is asked anew.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()

	if w.done != nil {
		if err := w.redis.Do(ctx, w.redis.B().Lrem().Key(w.processing).Count(1).Element(*w.done).Build()).Error(); err != nil {
			return false, err
		}
		w.done = nil
	}
	task, err := w.redis.Do(ctx, w.redis.B().Lindex().Key(w.processing).Index(-1).Build()).ToString()
	if rueidis.IsRedisNil(err) {
		if _, told := w.leave.Look(); told {
			return true, nil
		}
		task, err = w.take(ctx)
	}
	if rueidis.IsRedisNil(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	handle(task)
	w.done = &task
	return false, nil
}

func connect() (rueidis.Client, error) {
	database, err := strconv.Atoi(cmp.Or(os.Getenv("QSCALER_BROKER_DATABASE"), "0"))
	if err != nil {
		log.Fatalf("QSCALER_BROKER_DATABASE is no number, %v", err)
	}
	secure, err := tlsConfig()
	if err != nil {
		log.Fatal(err)
	}
	return rueidis.NewClient(rueidis.ClientOption{
		TLSConfig:   secure,
		InitAddress: []string{required("QSCALER_BROKER_ADDRESS")},
		Username:    os.Getenv("QSCALER_BROKER_USERNAME"),
		Password:    os.Getenv("QSCALER_BROKER_PASSWORD"),
		SelectDB:    database,
		// One command at a time on one connection, each tried once: what to do after an error is decided in run.
		ForceSingleClient:     true,
		DisableAutoPipelining: true,
		DisableCache:          true,
		DisableRetry:          true,
	})
}

func required(name string) string {
	value := os.Getenv(name)
	if value == "" {
		log.Fatalf("%s is not set", name)
	}
	return value
}
