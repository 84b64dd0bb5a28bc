package backlog

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// ageInterval is how often the ages of messages are read: about as often as somebody collects the metric.
const ageInterval = 10 * time.Second

// keepAges reads how old messages are, now and then until ctx is done, where the driver can tell. It goes beside the reads
// of depths: no depth waits for an age, or fails with it. An age that the newest read has not told is unknown.
func (s *source) keepAges(ctx context.Context, driver broker.Driver) {
	s.noteAges(ctx, nil) // those of the connection before
	reader, ok := driver.(broker.AgeReader)
	if !ok {
		return
	}
	s.beside.Go(func() {
		for s.pause(ctx, s.options.Jitter(ageInterval)) {
			s.noteAges(ctx, s.readAges(ctx, reader))
		}
	})
}

// readAges has the ages that can be read in the time of one read.
func (s *source) readAges(ctx context.Context, reader broker.AgeReader) map[string]broker.Age {
	ctx, cancel := context.WithTimeout(ctx, s.options.ReadTimeout)
	defer cancel()
	ages := map[string]broker.Age{}
	for queues := range slices.Chunk(s.waitingQueues(), s.cadence.Budget) {
		oldest, err := oldestAges(ctx, reader, queues)
		if err != nil {
			continue // the others may be read all the same
		}
		for i, queue := range queues {
			ages[queue] = oldest[i]
		}
	}
	return ages
}

func oldestAges(ctx context.Context, reader broker.AgeReader, queues []string) (ages []broker.Age, err error) {
	defer contain(&err)
	ages, err = reader.OldestAges(ctx, queues)
	if err == nil && len(ages) != len(queues) {
		err = fmt.Errorf("asked for %d ages, the driver has told %d", len(queues), len(ages))
	}
	return ages, err
}

// waitingQueues are the queues in which messages wait, by the newest reading.
func (s *source) waitingQueues() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var queues []string
	for queue, watches := range s.byQueue {
		for w := range watches {
			if w.hasWaiting() {
				queues = append(queues, queue)
				break
			}
		}
	}
	slices.Sort(queues)
	return queues
}

func (w *watch) hasWaiting() bool {
	return w.reading.Known && w.reading.Err == nil && w.reading.Depth.Waiting.N > 0
}

// noteAges takes what was read over a connection, while that lasts.
func (s *source) noteAges(ctx context.Context, ages map[string]broker.Age) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() == nil {
		s.ages = ages
	}
}

// agesNow adds the ages of a source by watch.
func (s *source) agesNow(add func(Key, time.Duration)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watches {
		if age := s.ages[w.spec.Query.Queue]; age.Known && w.hasWaiting() {
			add(w.key, age.D)
		}
	}
}

// oldest shows how old the oldest waiting message of each QWorker is. Of several queues of one, the oldest counts.
func (b *Backlog) oldest(show func(value float64, labels ...string)) {
	type object struct{ namespace, name string }
	ages := map[object]time.Duration{}
	b.mu.Lock()
	for _, s := range b.sources {
		s.agesNow(func(key Key, age time.Duration) {
			if key.Watcher == QWorker {
				of := object{key.Namespace, key.Name}
				ages[of] = max(ages[of], age)
			}
		})
	}
	b.mu.Unlock()
	for of, age := range ages {
		show(age.Seconds(), of.namespace, of.name)
	}
}
