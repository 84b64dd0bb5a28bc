package redis

import (
	"strings"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
)

// A server that answers each read and takes no write is no broker: no worker can take a task from it.
func TestAServerThatTakesNoWritesIsSaidToBeReadOnly(t *testing.T) {
	cases := map[string]struct {
		spoil, mend []string
		words       string
	}{
		"a replica":             {[]string{"REPLICAOF", "127.0.0.1", "1"}, []string{"REPLICAOF", "NO", "ONE"}, "read-only replica"},
		"one that lacks copies": {[]string{"CONFIG", "SET", "min-replicas-to-write", "1"}, []string{"CONFIG", "SET", "min-replicas-to-write", "0"}, "too few replicas"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			server := redisservertest.Start(t)
			do := plainClient(t, server.Addr())
			d := open(t, Config{Address: server.Addr()}, newBell().ring).(lists)
			for _, queries := range [][]broker.Query{{{Queue: "q", Workers: workers("p")}}, nil} {
				ask := func() error {
					d.writable = writable{} // as after writableInterval
					_, err := d.Depths(t.Context(), queries)
					return err
				}
				if err := ask(); err != nil {
					t.Fatalf("before: %v", err)
				}
				do(c.spoil...)
				err := ask()
				if broker.ReasonOf(err) != broker.ReasonReadOnly || !strings.Contains(err.Error(), c.words) {
					t.Errorf("Depths = %v, want %q", err, c.words)
				}
				do(c.mend...)
				if err := ask(); err != nil {
					t.Errorf("afterwards: %v", err)
				}
			}
		})
	}
}

// Who may only read is not told that nobody may write.
func TestAUserWhoMayNotWriteIsNoReadOnlyServer(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	do("ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@read", "+@connection", "+@transaction", "-@write")
	d := open(t, Config{Address: server.Addr(), Username: "reader", Password: broker.NewSecret("secret")}, newBell().ring)
	depths(t, d, broker.Query{Queue: "q"})
}

func TestWritesAreAskedForNowAndThen(t *testing.T) {
	var w writable
	now := time.Now()
	for _, step := range []struct {
		at   time.Duration
		want bool
	}{{0, true}, {time.Second, false}, {writableInterval, true}, {writableInterval + time.Second, false}} {
		if got := w.due(now.Add(step.at)); got != step.want {
			t.Errorf("due after %s = %t, want %t", step.at, got, step.want)
		}
	}
}
