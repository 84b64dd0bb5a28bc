//go:build realkubelet

package realkubelet

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/quickube/qscaler/worker/redislist"
)

// produce pushes tasks of 1 to 8 s by bursts and one by one until ctx is done. Now and then it takes away all that waits,
// and brings it back later: then the queue asks for no worker, and soon for many.
func (s *story) produce(ctx context.Context, queue string) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		aside := queue + "-aside"
		defer s.move(aside, queue)
		for n := 0; ctx.Err() == nil; {
			for range 1 + rand.N(8) {
				n++
				s.push(queue, fmt.Sprintf("%s-%d", queue, n), time.Second+rand.N(7*time.Second))
			}
			<-time.After(rand.N(10 * time.Second))
			if rand.N(3) == 0 {
				s.move(queue, aside)
				<-time.After(rand.N(15 * time.Second))
				s.move(aside, queue)
			}
			if rand.N(4) == 0 {
				<-time.After(20 * time.Second) // the fleet goes to nothing
			}
		}
	}()
	return ended
}

func (s *story) push(queue, id string, length time.Duration) {
	s.books.Pushed(id, time.Now())
	payload := fmt.Sprintf(`{"id":%q,"ms":%d}`, id, length.Milliseconds())
	if err := s.redis.Do(context.Background(), s.redis.B().Lpush().Key(queue).Element(payload).Build()).Error(); err != nil {
		s.Errorf("pushing %s, %v", id, err)
	}
}

const moveScript = `while redis.call('LMOVE', KEYS[1], KEYS[2], 'RIGHT', 'LEFT') do end return 1`

// move moves all that waits to another queue.
func (s *story) move(from, to string) {
	if err := s.redis.Do(context.Background(), s.redis.B().Eval().Script(moveScript).Numkeys(2).Key(from, to).Build()).Error(); err != nil {
		s.Errorf("moving what waits, %v", err)
	}
}

// held has the identifiers of the tasks that Redis holds.
func (s *story) held() (held []string) {
	s.Helper()
	keys, err := s.redis.Do(s.Context(), s.redis.B().Keys().Pattern("*:processing:*").Build()).AsStrSlice()
	if err != nil {
		s.Fatal(err)
	}
	for _, key := range append(keys, "grants", "signals") {
		elements, err := s.redis.Do(s.Context(), s.redis.B().Lrange().Key(key).Start(0).Stop(-1).Build()).AsStrSlice()
		if err != nil {
			s.Fatal(err)
		}
		for _, element := range elements {
			var task struct{ ID string }
			if err := json.Unmarshal([]byte(redislist.Parse(element).Payload), &task); err != nil {
				s.Fatalf("%s holds %q: %v", key, element, err)
			}
			held = append(held, task.ID)
		}
	}
	return held
}
