// Package redisstore keeps tasks in Redis lists, by the protocol of worker/redislist.
package redisstore

import (
	"context"
	"crypto/rand"
	"math"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/worker/internal/store"
	"github.com/quickube/qscaler/worker/redislist"
)

var (
	reserve = rueidis.NewLuaScript(redislist.ReserveScript)
	fetch   = rueidis.NewLuaScript(redislist.FetchScript)
	held    = rueidis.NewLuaScript(redislist.HeldScript)
	adopt   = rueidis.NewLuaScript(redislist.AdoptScript)
	begin   = rueidis.NewLuaScript(redislist.BeginScript)
	done    = rueidis.NewLuaScript(redislist.DoneScript)
	retry   = rueidis.NewLuaScript(redislist.RetryScript)
	bury    = rueidis.NewLuaScript(redislist.BuryScript)
	back    = rueidis.NewLuaScript(redislist.ReturnScript)
	release = rueidis.NewLuaScript(redislist.ReleaseScript)
	promote = rueidis.NewLuaScript(redislist.PromoteScript)
)

// promoteLimit bounds one step of Promote, so that a million due tasks do not block Redis.
const promoteLimit = "200"

// stepBytes bounds each step.
var stepBytes = strconv.Itoa(store.StepBytes)

// Store is one worker's share of a queue.
type Store struct {
	client     rueidis.Client
	queue      string
	processing string
	// prefix and count make reservations that no other process has.
	prefix string
	count  atomic.Int64
}

var _ store.Store = (*Store)(nil)

// New returns the share of a pod in a queue. Close closes the client.
func New(client rueidis.Client, queue, pod string) *Store {
	return &Store{client: client, queue: queue, processing: redislist.Processing(queue, pod), prefix: rand.Text()}
}

// own is what the reservations of this process begin with.
func (s *Store) own() string { return s.prefix + "." }

func (s *Store) reservation() string { return s.own() + strconv.FormatInt(s.count.Add(1), 36) }

// Reserve implements store.Store.
func (s *Store) Reserve(ctx context.Context, n int, ahead bool) ([]store.Item, error) {
	mark := ""
	if ahead {
		mark = redislist.Ahead
	}
	elements, err := reserve.Exec(ctx, s.client, []string{s.queue, s.processing},
		[]string{strconv.Itoa(n), s.reservation(), mark, stepBytes}).ToArray()
	if err != nil {
		return nil, err
	}
	items := make([]store.Item, len(elements))
	for i := range elements {
		if items[i], err = itemOf(&elements[i]); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// itemOf is the item that a script has answered: an element, or the beginning of one and its length.
func itemOf(answer *rueidis.RedisMessage) (store.Item, error) {
	if !answer.IsArray() {
		element, err := answer.ToString()
		return store.Parsed(element), err
	}
	both, err := answer.ToArray()
	if err != nil {
		return store.Item{}, err
	}
	beginning, err := both[0].ToString()
	if err != nil {
		return store.Item{}, err
	}
	size, err := both[1].AsInt64()
	return store.ParsedBeginning(beginning, int(size)), err
}

// Take implements store.Store.
func (s *Store) Take(ctx context.Context, wait time.Duration) (store.Item, bool, error) {
	move := s.client.B().Blmove().Source(s.queue).Destination(s.processing).Right().Left().Timeout(wait.Seconds()).Build()
	element, err := s.client.Do(ctx, move).ToString()
	if rueidis.IsRedisNil(err) {
		return store.Item{}, false, nil
	}
	if err != nil {
		return store.Item{}, false, err
	}
	listed := store.Listed{Head: redislist.Head(element), Older: math.MaxInt32} // it is the youngest
	item, ok, err := s.adopt(ctx, listed, redislist.HeadSize)
	if err != nil || !ok || item.Whole() {
		return item, ok, err
	}
	rest := item.Size - len(item.Element) // which is as it was
	return store.Parsed(item.Element + element[len(element)-rest:]), true, nil
}

// Fetch implements store.Store.
func (s *Store) Fetch(ctx context.Context, item store.Item, after int) (part string, ok bool, err error) {
	part, err = fetch.Exec(ctx, s.client, []string{s.processing},
		[]string{item.ByHead(), strconv.Itoa(after), stepBytes}).ToString()
	if rueidis.IsRedisNil(err) {
		return "", false, nil
	}
	return part, err == nil, err
}

// Length implements store.Store.
func (s *Store) Length(ctx context.Context) (int, error) {
	n, err := s.client.Do(ctx, s.client.B().Llen().Key(s.processing).Build()).AsInt64()
	return int(n), err
}

// Held implements store.Store.
func (s *Store) Held(ctx context.Context, before store.Page) (page store.Page, err error) {
	answer, err := held.Exec(ctx, s.client, []string{s.processing},
		[]string{strconv.Itoa(before.Next), strconv.Itoa(before.Length), stepBytes}).ToArray()
	if err != nil {
		return page, err
	}
	var numbers [3]int // the next, the length, those older
	for i := range numbers {
		n, err := answer[i].AsInt64()
		if err != nil {
			return page, err
		}
		numbers[i] = int(n)
	}
	page.Next, page.Length = numbers[0], numbers[1]
	for i, message := range answer[len(numbers):] {
		head, err := message.ToString()
		if err != nil {
			return page, err
		}
		page.Listed = append(page.Listed, store.Listed{Head: head, Older: numbers[2] + i})
	}
	return page, nil
}

// Adopt implements store.Store.
func (s *Store) Adopt(ctx context.Context, listed store.Listed) (store.Item, bool, error) {
	return s.adopt(ctx, listed, store.StepBytes)
}

// adopt answers, of an element that is longer than limit, its beginning.
func (s *Store) adopt(ctx context.Context, listed store.Listed, limit int) (item store.Item, ok bool, err error) {
	answer, err := adopt.Exec(ctx, s.client, []string{s.processing},
		[]string{listed.Head, s.reservation(), s.own(), strconv.Itoa(listed.Older), strconv.Itoa(limit)}).ToMessage()
	if rueidis.IsRedisNil(err) {
		return store.Item{}, false, nil
	}
	if err != nil {
		return store.Item{}, false, err
	}
	item, err = itemOf(&answer)
	return item, err == nil, err
}

// Begin implements store.Store.
func (s *Store) Begin(ctx context.Context, item store.Item) (store.Item, bool, error) {
	begun := store.Begun(item, s.reservation())
	ok, err := moved(begin.Exec(ctx, s.client, []string{s.processing}, []string{item.Name(), begun.Stamp()}))
	return begun, ok, err
}

// Done implements store.Store. It is one step for all tasks: over a slow network a round trip for each would exceed
// any time-out.
func (s *Store) Done(ctx context.Context, items ...store.Item) ([]bool, error) {
	if len(items) == 0 {
		return nil, nil
	}
	var (
		order  = make([]int, 0, len(items)) // those with a uniqueness key come first
		keys   = []string{s.processing}
		owners []string
		others []int
	)
	for i, item := range items {
		if key, owner := item.Unique(); key != "" {
			order, keys, owners = append(order, i), append(keys, redislist.Unique(s.queue, key)), append(owners, owner)
		} else {
			others = append(others, i)
		}
	}
	order = append(order, others...)
	args := make([]string, 0, len(items)+len(owners))
	for _, i := range order {
		args = append(args, items[i].Name())
	}
	answers, err := allMoved(done.Exec(ctx, s.client, keys, append(args, owners...)))
	if err != nil {
		return nil, err
	}
	was := make([]bool, len(items))
	for n, i := range order {
		was[i] = answers[n]
	}
	return was, nil
}

// Retry implements store.Store.
func (s *Store) Retry(ctx context.Context, waits ...store.Waiting) ([]bool, error) {
	return s.delay(ctx, store.Failed, waits)
}

// PutOff implements store.Store.
func (s *Store) PutOff(ctx context.Context, waits ...store.Waiting) ([]bool, error) {
	return s.delay(ctx, store.Returned, waits)
}

func (s *Store) delay(ctx context.Context, as func(store.Item) store.Item, waits []store.Waiting) ([]bool, error) {
	const each = 4
	args := make([]string, 0, each*len(waits))
	for _, w := range waits {
		args = append(args, w.Name(), as(w.Item).Stamp(), strconv.FormatInt(w.For.Milliseconds(), 10), w.Reservation)
	}
	return allMoved(retry.Exec(ctx, s.client, []string{s.processing, redislist.Delayed(s.queue)}, args))
}

// Bury implements store.Store.
func (s *Store) Bury(ctx context.Context, burials ...store.Burial) ([]bool, error) {
	const each = 4
	args := make([]string, 0, each*len(burials))
	keys := []string{s.processing, redislist.Dead(s.queue), redislist.DeadPayloads(s.queue)}
	for _, b := range burials {
		name := b.Name()
		if b.Letter.Field != "" {
			name = b.ByHead() // the step may carry a long line, too
		}
		key, owner := b.Unique() // without one, the key's name is one that never exists
		keys = append(keys, redislist.Unique(s.queue, key))
		args = append(args, name, b.Letter.Line, owner, b.Letter.Field)
	}
	return allMoved(bury.Exec(ctx, s.client, keys, args))
}

// Return implements store.Store.
func (s *Store) Return(ctx context.Context, items ...store.Item) ([]bool, error) {
	args := make([]string, 0, 2*len(items))
	for _, item := range items {
		args = append(args, item.Name(), store.Returned(item).Stamp())
	}
	return allMoved(back.Exec(ctx, s.client, []string{s.processing, s.queue}, args))
}

// Release implements store.Store.
func (s *Store) Release(ctx context.Context, listed ...store.Listed) (int, error) {
	args := []string{s.own(), stepBytes}
	for _, l := range slices.Backward(listed) {
		args = append(args, l.Head, strconv.Itoa(l.Older))
	}
	n, err := release.Exec(ctx, s.client, []string{s.processing, s.queue}, args).AsInt64()
	return int(n), err
}

// Promote implements store.Store.
func (s *Store) Promote(ctx context.Context) (time.Duration, error) {
	next, err := promote.Exec(ctx, s.client, []string{s.queue, redislist.Delayed(s.queue)}, []string{promoteLimit, stepBytes}).AsInt64()
	return time.Duration(next) * time.Millisecond, err
}

// Close implements store.Store.
func (s *Store) Close() { s.client.Close() }

func moved(reply rueidis.RedisResult) (bool, error) {
	n, err := reply.AsInt64()
	return n > 0, err
}

func allMoved(reply rueidis.RedisResult) ([]bool, error) {
	numbers, err := reply.AsIntSlice()
	if err != nil {
		return nil, err
	}
	was := make([]bool, len(numbers))
	for i, n := range numbers {
		was[i] = n > 0
	}
	return was, nil
}
