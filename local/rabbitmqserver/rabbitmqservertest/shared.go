// Package rabbitmqservertest gives tests a real RabbitMQ server, which all tests of a package share: it takes several
// seconds to start. Each test has a virtual host and a user of its own.
package rabbitmqservertest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/quickube/qscaler/local/rabbitmqserver"
)

// StatisticsInterval is how old the statistics of the shared server may be: much less than by default, so that a test
// need not wait.
const StatisticsInterval = 20 * time.Millisecond

var shared struct {
	sync.Mutex
	server *rabbitmqserver.Server
	err    error
	hosts  int
}

// Main runs the tests of a package, and stops the shared server. TestMain calls os.Exit with what it returns.
func Main(m *testing.M) int {
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		return code
	}
	dir := shared.server.Dir()
	if err := shared.server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping rabbitmq-server:", err)
		return 1
	}
	_ = os.RemoveAll(dir)
	return code
}

// Server is the shared server. The test fails, and is not skipped, when rabbitmq-server is missing.
func Server(t testing.TB) *rabbitmqserver.Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		var dir string
		if dir, shared.err = os.MkdirTemp("", "qscaler-rabbitmq-"); shared.err == nil {
			shared.server, shared.err = rabbitmqserver.Start(context.Background(), rabbitmqserver.Options{Dir: dir, StatisticsInterval: StatisticsInterval})
		}
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// number tells the virtual hosts of a process apart.
func number() int {
	shared.Lock()
	defer shared.Unlock()
	shared.hosts++
	return shared.hosts
}
