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
		"a retry": {"-zadd", func(s *redisstore.Store, i store.Item) error {
			_, err := s.Retry(t.Context(), i, time.Second)
			return err
		}},
		"a dead letter": {"-lpush", func(s *redisstore.Store, i store.Item) error {
			_, err := s.Bury(t.Context(), i, "letter")
			return err
		}},
		"a hand-back": {"-rpush", func(s *redisstore.Store, i store.Item) error {
			_, err := s.Return(t.Context(), i)
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
			length := f.client.B().Llen().Key(redislist.Processing(queue, pod)).Build()
			if n, err := f.client.Do(t.Context(), length).AsInt64(); n != 1 || err != nil {
				t.Errorf("the worker's list has %d tasks (%v), want 1", n, err)
			}
		})
	}
}
