package locate

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

const (
	// askTimeout bounds a question to several servers, and oneTimeout what one of them may take. The first is less than a
	// worker gives one operation.
	askTimeout = 4 * time.Second
	oneTimeout = 2 * time.Second
	// headStart is how long one server has before the next is asked, too: some that are down do not even refuse a connection.
	headStart = 300 * time.Millisecond
	// mostAsked bounds how many servers one question goes to.
	mostAsked = 12
)

// first asks servers the same question, in their order, and has the first answer. Where all fail, the error is a server's
// refusal if there is one, as of a password, else that of the first.
func first[T any](ctx context.Context, addresses []string, ask func(ctx context.Context, address string) (T, error)) (answer T, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	var asked sync.WaitGroup
	defer asked.Wait()
	defer cancel()

	type result struct {
		place  int
		answer T
		err    error
	}
	addresses = addresses[:min(len(addresses), mostAsked)]
	results := make(chan result, len(addresses))
	failed := make([]error, len(addresses))
	for begun, ended := 0, 0; ended < len(addresses); {
		var late <-chan time.Time
		if begun < len(addresses) {
			place := begun
			asked.Go(func() {
				answer, err := ask(ctx, addresses[place])
				results <- result{place, answer, err}
			})
			begun++
			late = time.After(headStart)
		}
		select {
		case r := <-results:
			if r.err == nil {
				return r.answer, nil
			}
			failed[r.place] = r.err
			ended++
		case <-late:
		}
	}
	return answer, worst(failed)
}

// worst is the error to tell of several.
func worst(failed []error) error {
	for _, err := range failed {
		if refusal := (*rueidis.RedisError)(nil); errors.As(err, &refusal) {
			return err
		}
	}
	return failed[0]
}
