package redisstore_test

import (
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/worker/internal/redisstore"
	"github.com/quickube/qscaler/worker/internal/redistest"
	"github.com/quickube/qscaler/worker/internal/store"
	"github.com/quickube/qscaler/worker/redislist"
)

// A script that Redis stops half-way is not taken back. Whatever the user may not do, the task is still there.
func TestATaskOutlivesWhatTheUserMayNotDo(t *testing.T) {
	moves := map[string]struct {
		denied string
		move   func(*redisstore.Store, store.Item) error
	}{
		"a retry that cannot take the task away": {"-lrem", func(s *redisstore.Store, i store.Item) error {
			_, err := s.Retry(t.Context(), store.Waiting{Item: i, For: time.Second})
			return err
		}},
		"a dead letter that cannot take the task away": {"-lrem", func(s *redisstore.Store, i store.Item) error {
			_, err := s.Bury(t.Context(), store.Burial{Item: i, Letter: store.Letter{Line: "letter"}})
			return err
		}},
		"a hand-back that cannot take the task away": {"-lrem", func(s *redisstore.Store, i store.Item) error {
			_, err := s.Return(t.Context(), i)
			return err
		}},
		"a beginning that cannot take the task away": {"-lrem", func(s *redisstore.Store, i store.Item) error {
			_, _, err := s.Begin(t.Context(), i)
			return err
		}},
		"a release that cannot take the task away": {"-lrem", func(s *redisstore.Store, i store.Item) error {
			_, err := s.Release(t.Context(), store.Listed{Head: redislist.Head(i.Element)})
			return err
		}},
		"a reservation that cannot take the task away": {"-rpop", func(s *redisstore.Store, i store.Item) error {
			if _, err := s.Return(t.Context(), i); err == nil {
				t.Error("Redis did not refuse a hand-back")
			}
			_, err := s.Reserve(t.Context(), 1, false)
			return err
		}},
		"a retry": {"-zadd", func(s *redisstore.Store, i store.Item) error {
			_, err := s.Retry(t.Context(), store.Waiting{Item: i, For: time.Second})
			return err
		}},
		"a dead letter": {"-lpush", func(s *redisstore.Store, i store.Item) error {
			_, err := s.Bury(t.Context(), store.Burial{Item: i, Letter: store.Letter{Line: "letter"}})
			return err
		}},
		"a long dead letter": {"-lpush", func(s *redisstore.Store, i store.Item) error {
			_, err := s.Bury(t.Context(), store.Burial{Item: i, Letter: store.Letter{Line: "letter", Field: "field"}})
			return err
		}},
		"a hand-back": {"-rpush", func(s *redisstore.Store, i store.Item) error {
			_, err := s.Return(t.Context(), i)
			return err
		}},
		"a reservation": {"-lpush", func(s *redisstore.Store, i store.Item) error {
			if _, err := s.Return(t.Context(), i); err != nil {
				t.Fatal(err)
			}
			_, err := s.Reserve(t.Context(), 1, false)
			return err
		}},
		"an adoption": {"-lset", func(s *redisstore.Store, i store.Item) error {
			_, _, err := s.Adopt(t.Context(), store.Listed{Head: redislist.Head(i.Element)})
			return err
		}},
		"a beginning": {"-lpush", func(s *redisstore.Store, i store.Item) error {
			_, _, err := s.Begin(t.Context(), i)
			return err
		}},
		"a release": {"-rpush", func(s *redisstore.Store, i store.Item) error {
			_, err := s.Release(t.Context(), store.Listed{Head: redislist.Head(i.Element)})
			return err
		}},
	}
	for name, m := range moves {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			f := fixture(t, server)
			f.Push("task")
			items, err := f.Reserve(t.Context(), 1, false)
			if err != nil || len(items) != 1 {
				t.Fatalf("reserved %v, %v", items, err)
			}
			acl := f.client.B().AclSetuser().Username("limited").Rule("on", ">secret", "~*", "+@all", m.denied).Build()
			if err := f.client.Do(t.Context(), acl).Error(); err != nil {
				t.Fatal(err)
			}
			option := redistest.Option(server.Addr())
			option.Username, option.Password = "limited", "secret"
			client, err := rueidis.NewClient(option)
			if err != nil {
				t.Fatal(err)
			}
			s := redisstore.New(client, queue, pod)
			defer s.Close()
			if err := m.move(s, items[0]); err == nil {
				t.Error("Redis did not refuse it")
			}
			if waiting, held := f.length(t, queue), f.length(t, redislist.Processing(queue, pod)); waiting+held != 1 {
				t.Errorf("%d tasks wait, and the worker's list has %d; want one of them to have 1", waiting, held)
			}
			left := f.client.B().Exists().Key(redislist.DeadPayloads(queue), redislist.Dead(queue), redislist.Delayed(queue)).Build()
			if n, err := f.client.Do(t.Context(), left).AsInt64(); err != nil || n > 0 {
				t.Errorf("%d other keys stand (%v)", n, err)
			}
		})
	}
}

// A task that is due and cannot be taken out of the set is not put into the queue, again and again.
func TestAPromotionThatCannotTakeTheTaskAway(t *testing.T) {
	f := fixture(t, redistest.Start(t))
	f.Push("task")
	items, err := f.Reserve(t.Context(), 1, false)
	if err != nil || len(items) != 1 {
		t.Fatalf("reserved %v, %v", items, err)
	}
	if _, err := f.Retry(t.Context(), store.Waiting{Item: items[0]}); err != nil {
		t.Fatal(err)
	}
	if err := f.client.Do(t.Context(), f.client.B().AclSetuser().Username("default").Rule("-zrem").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Promote(t.Context()); err == nil {
		t.Error("Redis did not refuse it")
	}
	if n := f.length(t, queue); n != 0 {
		t.Errorf("%d copies wait, want none", n)
	}
}
