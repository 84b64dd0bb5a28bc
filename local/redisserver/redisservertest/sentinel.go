package redisservertest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/local/redisserver"
)

// MasterName is the name of the master of Watched.
const MasterName = "mymaster"

// Watched is a master with replicas, which Sentinels watch.
type Watched struct {
	// Servers are the master, as it is at first, and its replicas.
	Servers   []*redisserver.Server
	Sentinels []*redisserver.Server
}

// StartWatched starts a master, so many replicas, and three Sentinels, that take a server for dead which has not answered
// for so long. The arguments are of the servers, and the lines of the configuration of each Sentinel.
func StartWatched(t testing.TB, replicas int, downAfter time.Duration, args []string, lines ...string) *Watched {
	t.Helper()
	w := &Watched{Servers: []*redisserver.Server{Start(t, args...)}}
	master := w.Servers[0]
	for range replicas {
		w.Servers = append(w.Servers, Start(t, append(args, "--replicaof", "127.0.0.1 "+strconv.Itoa(master.Port()))...))
	}
	const quorum = 2
	config := append([]string{
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d %d", MasterName, master.Port(), quorum),
		fmt.Sprintf("sentinel down-after-milliseconds %s %d", MasterName, downAfter.Milliseconds()),
		fmt.Sprintf("sentinel failover-timeout %s 10000", MasterName),
	}, lines...)
	for range 3 {
		s, err := redisserver.Start(t.Context(), redisserver.Options{Dir: t.TempDir(), Sentinel: strings.Join(config, "\n") + "\n"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Stop(); err != nil {
				t.Errorf("stopping a Sentinel: %v", err)
			}
		})
		w.Sentinels = append(w.Sentinels, s)
	}
	return w
}

// AwaitQuorum waits until each Sentinel knows the replicas and the others: before that they make nobody the master. They are
// logged in to with the password, where that is not "".
func (w *Watched) AwaitQuorum(t testing.TB, password string) {
	t.Helper()
	for _, s := range w.Sentinels {
		Eventually(t, "a Sentinel knows the others", func() bool {
			answer, err := Ask(t, s.Addr(), password, "SENTINEL", "MASTER", MasterName)
			if err != nil {
				return false
			}
			knows, err := answer.AsStrMap()
			return err == nil && knows["num-slaves"] == strconv.Itoa(len(w.Servers)-1) && knows["num-other-sentinels"] == strconv.Itoa(len(w.Sentinels)-1)
		})
	}
	for _, s := range w.Servers[1:] {
		Eventually(t, "a replica has the master's data", func() bool {
			answer, err := Ask(t, s.Addr(), password, "INFO", "replication")
			return err == nil && strings.Contains(answer.String(), "master_link_status:up")
		})
	}
}

// Ask sends one command over a connection of its own.
func Ask(t testing.TB, address, password string, command ...string) (rueidis.RedisMessage, error) {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{address}, Password: password, DisableCache: true, ForceSingleClient: true, DisableRetry: true, ClientSetInfo: []string{},
	})
	if err != nil {
		return rueidis.RedisMessage{}, err
	}
	defer client.Close()
	return client.Do(context.Background(), client.B().Arbitrary(command...).Build()).ToMessage()
}

// Eventually waits for a condition, for a minute at most.
func Eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for !is() {
		select {
		case <-deadline:
			t.Fatalf("not so after a minute: %s", what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
