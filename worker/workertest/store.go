package workertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quickube/qscaler/worker/internal/store"
	"github.com/quickube/qscaler/worker/redislist"
)

// errKilled is the answer to a process that was killed.
var errKilled = errors.New("the process was killed")

// share is the store of one process.
type share struct {
	*Broker
	pod string
	// process is the beginning of the process' reservations.
	process string
	// ended and leaving are guarded by the Broker's lock.
	ended   bool
	leaving bool // the worker knows that it is to leave
}

var _ store.Store = (*share)(nil)

// locked does a step, with due tasks waiting.
func (s *share) locked(step func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return errKilled
	}
	s.promote()
	step()
	s.tell()
	return nil
}

// Reserve implements store.Store.
func (s *share) Reserve(_ context.Context, n int, ahead bool) (items []store.Item, err error) {
	err = s.locked(func() {
		for bytes := 0; len(items) < n && len(s.waiting) > 0; {
			head := s.waiting[len(s.waiting)-1]
			item, suspect := s.stamp(head, ahead, false)
			if len(items) > 0 && (suspect || bytes+item.Size > store.StepBytes) {
				return
			}
			s.waiting = s.waiting[:len(s.waiting)-1]
			s.lists[s.pod] = append(s.lists[s.pod], item.Element)
			items = append(items, brief(item))
			bytes += item.Size
			if suspect {
				return
			}
		}
	})
	return items, err
}

// Take implements store.Store. It does not wait once the worker is to leave.
func (s *share) Take(ctx context.Context, wait time.Duration) (store.Item, bool, error) {
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		s.mu.Lock()
		changed, leaving := s.changed, s.leaving
		s.mu.Unlock()
		if leaving {
			return store.Item{}, false, nil
		}
		items, err := s.Reserve(ctx, 1, false)
		if err != nil || len(items) > 0 {
			return first(items), len(items) > 0, err
		}
		select {
		case <-changed:
		case <-timeout.C:
			return store.Item{}, false, nil
		case <-ctx.Done():
			return store.Item{}, false, ctx.Err()
		}
	}
}

func first(items []store.Item) store.Item {
	if len(items) == 0 {
		return store.Item{}
	}
	return items[0]
}

// brief is an item as it is reserved: a long one comes without its payload.
func brief(item store.Item) store.Item {
	if !item.Long() {
		return item
	}
	const beginning = redislist.MaxHeaders + redislist.HeadSize // as the scripts have it
	return store.ParsedBeginning(item.Element[:beginning], item.Size)
}

// Fetch implements store.Store.
func (s *share) Fetch(_ context.Context, item store.Item, after int) (part string, ok bool, err error) {
	err = s.locked(func() {
		var element string
		if element, ok = s.find(redislist.Head(item.Element)); ok {
			part = element[after:min(len(element), after+store.StepBytes)]
		}
	})
	return part, ok, err
}

// Length implements store.Store.
func (s *share) Length(context.Context) (n int, err error) {
	err = s.locked(func() { n = len(s.lists[s.pod]) })
	return n, err
}

// Held implements store.Store. There is one page.
func (s *share) Held(context.Context, store.Page) (page store.Page, err error) {
	err = s.locked(func() {
		for i, element := range s.lists[s.pod] {
			page.Listed = append(page.Listed, store.Listed{Head: redislist.Head(element), Older: i})
		}
	})
	return page, err
}

// Adopt implements store.Store.
func (s *share) Adopt(_ context.Context, listed store.Listed) (item store.Item, ok bool, err error) {
	err = s.locked(func() {
		var element string
		if element, ok = s.find(listed.Head); ok {
			item, _ = s.stamp(element, false, true)
			s.lists[s.pod][slices.Index(s.lists[s.pod], element)] = item.Element
			item = brief(item)
		}
	})
	return item, ok, err
}

// Begin implements store.Store.
func (s *share) Begin(_ context.Context, item store.Item) (begun store.Item, ok bool, err error) {
	err = s.locked(func() {
		reservation := s.reservation()
		begun = store.Begun(item, reservation)
		var whole store.Item
		if whole, ok = s.take(item); ok {
			s.lists[s.pod] = append(s.lists[s.pod], store.Begun(whole, reservation).Element)
		}
	})
	return begun, ok, err
}

// Done implements store.Store.
func (s *share) Done(_ context.Context, items ...store.Item) (was []bool, err error) {
	err = s.locked(func() {
		for _, item := range items {
			whole, ours := s.take(item)
			was = append(was, ours)
			if ours {
				s.done = append(s.done, whole.Payload)
				s.free(item)
			}
		}
	})
	return was, err
}

// Retry implements store.Store.
func (s *share) Retry(_ context.Context, waits ...store.Waiting) ([]bool, error) {
	return s.delay(store.Failed, waits)
}

// PutOff implements store.Store.
func (s *share) PutOff(_ context.Context, waits ...store.Waiting) ([]bool, error) {
	return s.delay(store.Returned, waits)
}

func (s *share) delay(as func(store.Item) store.Item, waits []store.Waiting) (was []bool, err error) {
	err = s.locked(func() {
		for _, w := range waits {
			whole, ours := s.take(w.Item)
			was = append(was, ours)
			if ours {
				s.delayed = append(s.delayed, delayed{due: s.now.Add(w.For), element: as(whole).Element})
			}
		}
	})
	return was, err
}

// Bury implements store.Store.
func (s *share) Bury(_ context.Context, burials ...store.Burial) (was []bool, err error) {
	err = s.locked(func() {
		for _, b := range burials {
			whole, ours := s.take(b.Item)
			was = append(was, ours)
			if !ours {
				continue
			}
			s.dead = append(s.dead, b.Letter.Line)
			if b.Letter.Field != "" {
				s.payloads[b.Letter.Field] = whole.Payload
			}
			s.free(b.Item)
		}
	})
	return was, err
}

// Return implements store.Store.
func (s *share) Return(_ context.Context, items ...store.Item) (was []bool, err error) {
	err = s.locked(func() {
		for _, item := range items {
			whole, ours := s.take(item)
			was = append(was, ours)
			if ours {
				s.waiting = append(s.waiting, store.Returned(whole).Element)
			}
		}
	})
	return was, err
}

// Release implements store.Store.
func (s *share) Release(_ context.Context, listed ...store.Listed) (n int, err error) {
	err = s.locked(func() {
		for _, l := range slices.Backward(listed) {
			item, ok := s.takeHead(l.Head)
			if !ok {
				continue
			}
			name := strings.TrimPrefix(item.Reservation, redislist.Ahead)
			if s.process != "" && strings.HasPrefix(name, s.process) {
				item = store.Returned(item)
			}
			s.waiting = append(s.waiting, item.Element)
		}
	})
	return len(listed), err
}

// Promote implements store.Store. Tasks that are due wait already.
func (s *share) Promote(context.Context) (time.Duration, error) {
	const never = -1
	return never, s.locked(func() {})
}

// Close implements store.Store.
func (s *share) Close() {}

// find has the element of the pod's list that has this head. The lock is held.
func (s *share) find(head string) (element string, ok bool) {
	for _, element := range s.lists[s.pod] {
		if redislist.Head(element) == head {
			return element, true
		}
	}
	return "", false
}

// take takes an item out of the pod's list, and has all of it. The lock is held.
func (s *share) take(item store.Item) (whole store.Item, ok bool) {
	return s.takeHead(redislist.Head(item.Element))
}

func (s *share) takeHead(head string) (whole store.Item, ok bool) {
	element, ok := s.find(head)
	if !ok {
		return store.Item{}, false
	}
	at := slices.Index(s.lists[s.pod], element)
	s.lists[s.pod] = slices.Delete(s.lists[s.pod], at, at+1)
	return store.Parsed(element), true
}

// reservation names a reservation of the process. The lock is held.
func (s *share) reservation() string {
	s.reservations++
	if s.process == "" {
		s.process = fmt.Sprintf("p%d.", s.reservations)
	}
	return s.process + strconv.Itoa(s.reservations)
}

// stamp is what the scripts of package redislist do to an element that is reserved, ahead or not. One that is
// adopted and that the process itself had reserved was never begun. The lock is held.
func (s *share) stamp(element string, ahead, adopted bool) (item store.Item, suspect bool) {
	t := redislist.Parse(element)
	mark, reservation := "", s.reservation()
	if ahead {
		mark = redislist.Ahead
	}
	if t.ID == "" {
		t = redislist.Task{ID: reservation, First: s.now, Payload: element}
	} else {
		name := strings.TrimLeft(t.Reservation, redislist.Ahead+redislist.Unbegun)
		left := t.Reservation != "" && (!adopted || !strings.HasPrefix(name, s.process))
		if left && name == t.Reservation {
			t.Crashed++
		}
		if suspect = left || t.Unbegun() || t.Crashed > 0; suspect {
			mark = redislist.Unbegun
		}
	}
	t.Reservation = mark + reservation
	return store.Parsed(t.Element()), suspect
}

// promote puts due tasks into the queue. The lock is held.
func (b *Broker) promote() {
	slices.SortStableFunc(b.delayed, func(x, y delayed) int { return x.due.Compare(y.due) })
	for len(b.delayed) > 0 && !b.delayed[0].due.After(b.now) {
		b.waiting = slices.Insert(b.waiting, 0, b.delayed[0].element)
		b.delayed = b.delayed[1:]
	}
}

// free ends a task's uniqueness. The lock is held.
func (b *Broker) free(item store.Item) {
	if key, owner := item.Unique(); key != "" && b.unique[key].name == owner {
		delete(b.unique, key)
	}
}
