package sqlqueue

import "github.com/quickube/qscaler/internal/broker"

// Sift refuses the queues that the check refuses, and has each other once: their places, -1 for none, are those of the
// queries. Of two queries for one queue, the workers are asked for together.
func Sift(queries []broker.Query, answers []broker.Answer, check func(broker.Query) error) (unique []broker.Query, places []int) {
	places = make([]int, len(queries))
	seen := make(map[string]int, len(queries))
	for i, q := range queries {
		if answers[i].Err = check(q); answers[i].Err != nil {
			places[i] = -1
			continue
		}
		at, again := seen[q.Queue]
		if !again {
			at = len(unique)
			seen[q.Queue] = at
			unique = append(unique, q)
		} else {
			unique[at].Workers = append(unique[at].Workers[:len(unique[at].Workers):len(unique[at].Workers)], q.Workers...)
		}
		places[i] = at
	}
	return unique, places
}

// HeldBy is what workers hold, of what more of them may.
func HeldBy(workers []broker.Worker, all map[string]int64) map[string]int64 {
	if all == nil {
		return nil
	}
	held := make(map[string]int64, len(workers))
	for _, w := range workers {
		if n, known := all[w.PodName]; known {
			held[w.PodName] = n
		}
	}
	return held
}

// Queries ask for the depths of queues, of no worker.
func Queries(queues []string) []broker.Query {
	queries := make([]broker.Query, len(queues))
	for i, queue := range queues {
		queries[i].Queue = queue
	}
	return queries
}
