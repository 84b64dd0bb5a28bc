package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Master is the name by which the Sentinels know their master.
const Master = "mymaster"

// Sentinels look after servers that are copies of one another.
type Sentinels struct {
	t         testing.TB
	Sentinels []*Server
	// Servers are the master and its replica, in either order.
	Servers []*Server
}

// StartSentinels starts a master, a replica and three Sentinels, with further lines for the configuration of these. They take a
// server for dead after half a second.
func StartSentinels(t testing.TB, lines ...string) *Sentinels {
	t.Helper()
	const sentinels = 3
	s := &Sentinels{t: t}
	master := Start(t, "--repl-diskless-sync-delay", "0")
	replica := Start(t, "--repl-diskless-sync-delay", "0", "--replicaof", "127.0.0.1 "+master.Port())
	s.Servers = []*Server{master, replica}
	await(t, "the replica to follow", func() string { return lacks(replica.text("INFO", "replication"), "master_link_status:up") })
	for range sentinels {
		s.Sentinels = append(s.Sentinels, StartSentinel(t, master, sentinels/2+1, lines...))
	}
	for _, one := range s.Sentinels {
		await(t, "a Sentinel to know all", func() string {
			return lacks(one.text("INFO", "sentinel"), fmt.Sprintf("status=ok,address=%s,slaves=1,sentinels=%d", master.Addr(), sentinels))
		})
	}
	return s
}

// StartSentinel starts one Sentinel, with further lines of configuration. So many have to agree that a server is dead.
func StartSentinel(t testing.TB, master *Server, quorum int, lines ...string) *Server {
	t.Helper()
	s := prepare(t)
	lines = append([]string{
		"port " + s.port, "bind 127.0.0.1", "dir " + s.dir,
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %s %d", Master, master.Port(), quorum),
		"sentinel down-after-milliseconds " + Master + " 500",
		"sentinel failover-timeout " + Master + " 5000",
	}, lines...)
	path := filepath.Join(s.dir, "sentinel.conf")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.args = []string{path, "--sentinel"}
	s.Restart()
	return s
}

// Master is the server that is a master now.
func (s *Sentinels) Master() *Server {
	s.t.Helper()
	var master *Server
	await(s.t, "a master", func() (complaint string) {
		master, complaint = s.role("role:master")
		return complaint
	})
	return master
}

// role is a server of which INFO has these words.
func (s *Sentinels) role(words string) (server *Server, complaint string) {
	for _, server = range s.Servers {
		if complaint = lacks(server.text("INFO", "replication"), words); complaint == "" {
			return server, ""
		}
	}
	return nil, complaint
}

// AwaitMaster waits until each Sentinel that runs names the server, and the server is a master.
func (s *Sentinels) AwaitMaster(server *Server) {
	s.t.Helper()
	for _, sentinel := range s.Sentinels {
		if sentinel.cmd == nil {
			continue
		}
		await(s.t, "the Sentinels to name it", func() string {
			named, err := sentinel.Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", Master).AsStrSlice()
			if err != nil || len(named) != 2 || named[1] != server.Port() {
				return fmt.Sprintf("one names %v (%v)", named, err)
			}
			return lacks(server.text("INFO", "replication"), "role:master")
		})
	}
}

// AwaitReplica waits until one of the servers is a master that the other follows.
func (s *Sentinels) AwaitReplica() {
	s.t.Helper()
	await(s.t, "a replica", func() string {
		_, complaint := s.role("state=online")
		return complaint
	})
}

// lacks complains of a text that is without some words.
func lacks(text, words string) string {
	if strings.Contains(text, words) {
		return ""
	}
	return fmt.Sprintf("%q is not in: %s", words, text)
}
