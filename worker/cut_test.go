package worker_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/internal/inject"
	"github.com/quickube/qscaler/worker/internal/redisstore"
	"github.com/quickube/qscaler/worker/internal/redistest"
	"github.com/quickube/qscaler/worker/internal/store"
	"github.com/quickube/qscaler/worker/redislist"
)

var cutEvery = flag.Int("cut.every", slow, "cut a conversation after every so many bytes")

// Wherever a connection ends, after each byte of the requests and of the replies: what comes of it is what comes of
// a line that is whole. Nothing is lost, nothing is done twice, and no attempt is counted that was not made.
func TestACutAfterEveryByte(t *testing.T) {
	for name, c := range map[string]struct {
		hold  func(context.Context, conversation) (string, error)
		every [2]int
		// atOnce is how many conversations are held at once. Most of one that was cut is the pause before it goes on, but
		// where it is long: there, each of many would wait for the others.
		atOnce int
	}{
		"between a worker and Redis":   {work, [2]int{*cutEvery, *cutEvery}, 100},
		"between a producer and Redis": {produce, [2]int{*cutEvery, *cutEvery}, 100},
		"while a long task is done":    {workLong, [2]int{37 * *cutEvery, 65_537 * *cutEvery}, 10}, // it has too many bytes
	} {
		hold, every := c.hold, c.every
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			direct := server.Client()
			if err := direct.Do(t.Context(), direct.B().ConfigSet().ParameterValue().ParameterValue("appendonly", "no").Build()).Error(); err != nil {
				t.Fatal(err) // nothing is killed here, and thousands write
			}
			on := func(cut string) conversation {
				return conversation{queue: "queue-" + cut, redis: direct, line: newLine(t, server.Addr(), 0)}
			}
			var want string
			var length [2]int
			for _, whole := range []string{"first", "second"} { // the first has Redis know the scripts
				c := on(whole)
				var err error
				if want, err = hold(t.Context(), c); err != nil {
					t.Fatal(err)
				}
				length = c.line.length()
			}
			t.Logf("of %d bytes of requests and %d of replies comes %s", length[requests], length[replies], want)

			slots := make(chan struct{}, c.atOnce)
			var all sync.WaitGroup
			for _, way := range []way{requests, replies} {
				for n := 0; n < length[way]; n += every[way] {
					c := on(fmt.Sprintf("%s-%d", way, n))
					c.line.cutAfter(way, n)
					slots <- struct{}{}
					all.Go(func() {
						defer func() { <-slots }()
						defer c.line.close()
						if got, err := hold(t.Context(), c); err != nil || got != want {
							t.Errorf("cut after %d bytes of %s:\n got %s (%v)\nwant %s", n, way, got, err, want)
						}
					})
				}
			}
			all.Wait()
		})
	}
}

// conversation is one over a line of its own, on a queue of its own.
type conversation struct {
	queue string
	// redis is a connection that is not cut.
	redis rueidis.Client
	line  *line
}

// connect connects over the line, which may be cut meanwhile.
func (c conversation) connect() rueidis.Client {
	option := redistest.Option(c.line.addr())
	option.AlwaysPipelining, option.ClientSetInfo = true, []string{} // as a worker's connection
	const small = 4096                                               // there are hundreds
	option.ReadBufferEachConn, option.WriteBufferEachConn, option.RingScaleEachConn = small, small, 5
	for {
		if client, err := rueidis.NewClient(option); err == nil {
			return client
		}
	}
}

// idle is a store that tells when its worker, which has ended so many attempts, waits for a task.
type idle struct {
	store.Store
	ended *atomic.Int32
	after int32
	waits chan struct{}
}

func (i idle) Take(ctx context.Context, wait time.Duration) (store.Item, bool, error) {
	if i.ended.Load() == i.after {
		select {
		case i.waits <- struct{}{}:
		default:
		}
	}
	return i.Store.Take(ctx, wait)
}

// serve runs a worker over the line. When so many attempts have ended and it waits for a task, then is done, and it leaves.
func (c conversation) serve(ctx context.Context, handler worker.Handler, ended *atomic.Int32, after int32, then func() error) error {
	waits, killed, left := make(chan struct{}, 1), make(chan struct{}), make(chan error, 1)
	defer close(killed)
	broker := inject.Broker{
		Queue: c.queue, DrainFile: "/none", Killed: killed,
		Store: idle{redisstore.New(c.connect(), c.queue, pod), ended, after, waits},
	}
	running, leave := context.WithCancel(inject.With(context.WithoutCancel(ctx), broker))
	defer leave()
	go func() { left <- worker.Run(running, handler, quiet()) }()
	select {
	case <-waits:
	case <-ctx.Done():
		return fmt.Errorf("of the first %d attempts %d have ended", after, ended.Load())
	}
	if err := then(); err != nil {
		return err
	}
	leave()
	select {
	case err := <-left:
		return err
	case <-ctx.Done():
		return errors.New("the worker does not leave")
	}
}

// sorted has what was sent so far.
func sorted(from <-chan string) (all []string) {
	for len(from) > 0 {
		all = append(all, <-from)
	}
	slices.Sort(all)
	return all
}

// work has a worker make each kind of step, and tells what has come of it: it takes up what a killed process has
// left, a task that was delayed, two that fail, and one that comes while it waits, which it hands back.
func work(ctx context.Context, c conversation) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, longestWait)
	defer cancel()
	const before = 4
	suspect := redislist.Task{ID: "suspect", Crashed: 1, Reservation: "gone.1", Payload: "suspect"}
	_, err := worker.NewClient(c.redis).Enqueue(ctx, c.queue, []byte("due"), worker.WithDelay(time.Millisecond), worker.WithUnique("due", time.Hour))
	if err := errors.Join(err, c.push(ctx, redislist.Processing(c.queue, pod), suspect.Element()), c.push(ctx, c.queue, "flaky", "bad")); err != nil {
		return "", err
	}

	attempts, late := make(chan string, 100), make(chan struct{}, 100)
	var ended atomic.Int32
	handler := func(ctx context.Context, t *worker.Task) error {
		attempts <- fmt.Sprintf("%s/%d", t.Payload, t.Attempt)
		defer ended.Add(1)
		switch string(t.Payload) {
		case "flaky":
			return worker.RetryAfter(errors.New("not yet"), time.Hour)
		case "bad":
			return worker.Permanent(errors.New("never"))
		case "late":
			late <- struct{}{}
			<-worker.Draining(ctx)
			return worker.ErrHandBack
		}
		return nil
	}
	err = c.serve(ctx, handler, &ended, before, func() error {
		if err := c.push(ctx, c.queue, "late"); err != nil {
			return err
		}
		select {
		case <-late:
			return nil
		case <-ctx.Done():
			return errors.New("what comes while the worker waits is not begun")
		}
	})
	if err != nil {
		return "", err
	}
	made := sorted(attempts)
	books, err := c.books(ctx)
	return fmt.Sprintf("attempts %v, %s", made, books), err
}

// workLong has a worker do tasks that come without their payloads: one is done, one fails once and waits, one is a dead
// letter.
func workLong(ctx context.Context, c conversation) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, longestWait)
	defer cancel()
	kinds := []string{"good", "flaky", "bad"}
	for _, kind := range kinds {
		if err := c.push(ctx, c.queue, kind+strings.Repeat(" ", store.StepBytes)); err != nil {
			return "", err
		}
	}
	attempts := make(chan string, 100)
	var ended atomic.Int32
	handler := func(_ context.Context, t *worker.Task) error {
		kind := strings.TrimSpace(string(t.Payload))
		attempts <- fmt.Sprintf("%s/%d/%d", kind, t.Attempt, len(t.Payload))
		defer ended.Add(1)
		switch kind {
		case "flaky":
			return worker.RetryAfter(errors.New("not yet"), time.Hour)
		case "bad":
			return worker.Permanent(errors.New("never"))
		}
		return nil
	}
	if err := c.serve(ctx, handler, &ended, int32(len(kinds)), func() error { return nil }); err != nil {
		return "", err
	}
	made := sorted(attempts)
	payloads, err := c.redis.Do(ctx, c.redis.B().Hvals().Key(redislist.DeadPayloads(c.queue)).Build()).AsStrSlice()
	if err != nil {
		return "", err
	}
	for i, payload := range payloads {
		payloads[i] = fmt.Sprint(len(payload))
	}
	books, err := c.books(ctx)
	if err := c.redis.Do(ctx, c.redis.B().Del().Key(redislist.Delayed(c.queue), redislist.DeadPayloads(c.queue)).Build()).Error(); err != nil {
		return "", err
	}
	return fmt.Sprintf("attempts %v, payloads of letters %v, %s", made, payloads, books), err
}

// produce has a Client enqueue tasks, and replay and drop dead letters, each until it is answered.
func produce(ctx context.Context, c conversation) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, longestWait)
	defer cancel()
	const letter = `{"id":%[1]q,"error":"no","attempts":1,"payload":%[1]q}`
	if err := c.push(ctx, redislist.Dead(c.queue), fmt.Sprintf(letter, "again"), fmt.Sprintf(letter, "nevermore")); err != nil {
		return "", err
	}
	redis := c.connect()
	defer redis.Close()
	client := worker.NewClient(redis)
	enqueue := func(payload string, opts ...worker.EnqueueOption) func() error {
		asked := 0
		return func() error {
			asked++
			_, err := client.Enqueue(ctx, c.queue, []byte(payload), append(opts, worker.WithUnique(payload, time.Hour))...)
			if asked > 1 && errors.Is(err, worker.ErrDuplicate) {
				return nil // it was added, and the answer did not arrive
			}
			return err
		}
	}
	var dead []worker.DeadLetter
	for _, step := range []func() error{
		enqueue("now"),
		enqueue("later", worker.WithDelay(time.Hour), worker.WithHeader("tenant", "acme")),
		func() (err error) { dead, err = client.DeadLetters(ctx, c.queue, 0, 2); return err },
		func() error { _, err := client.Replay(ctx, c.queue, dead[1]); return err },
		func() error { _, err := client.Drop(ctx, c.queue, dead[0]); return err },
	} {
		for err := step(); err != nil; err = step() {
			if ctx.Err() != nil {
				return "", err
			}
		}
	}
	return c.books(ctx)
}

func (c conversation) push(ctx context.Context, list string, elements ...string) error {
	return c.redis.Do(ctx, c.redis.B().Lpush().Key(list).Element(elements...).Build()).Error()
}

// books tells what Redis has of the queue: payloads, each with its attempts that failed and that crashed.
func (c conversation) books(ctx context.Context) (string, error) {
	list := func(key string) rueidis.Completed { return c.redis.B().Lrange().Key(key).Start(0).Stop(-1).Build() }
	delayed := c.redis.B().Zrange().Key(redislist.Delayed(c.queue)).Min("0").Max("-1").Build()
	var books [4][]string
	for i, read := range []rueidis.Completed{list(c.queue), list(redislist.Processing(c.queue, pod)), delayed, list(redislist.Dead(c.queue))} {
		elements, err := c.redis.Do(ctx, read).AsStrSlice()
		if err != nil {
			return "", err
		}
		for _, element := range elements {
			t := redislist.Parse(element[strings.IndexByte(element, '|')+1:]) // what is delayed has its reservation before
			if letter, err := worker.ParseDeadLetter(element); err == nil {
				t = redislist.Task{Payload: string(letter.Payload), Failed: letter.Attempts}
			}
			books[i] = append(books[i], fmt.Sprintf("%.20s/%d/%d", t.Payload, t.Failed, t.Crashed))
		}
		slices.Sort(books[i])
	}
	var keys []string
	for _, key := range []string{"due", "now", "later"} {
		keys = append(keys, redislist.Unique(c.queue, key))
	}
	unique, err := c.redis.Do(ctx, c.redis.B().Exists().Key(keys...).Build()).AsInt64()
	return fmt.Sprintf("waiting %v, in hand %v, delayed %v, dead %v, unique %d", books[0], books[1], books[2], books[3], unique), err
}
