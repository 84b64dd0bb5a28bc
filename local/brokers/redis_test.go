package brokers

import (
	"os/exec"
	"strconv"
	"testing"

	"github.com/quickube/qscaler/local/redisserver"
)

// Where redis-cli is missing, bash pushes, to a real Redis and to the stand-in.
func TestBashPushesWithoutRedisCLI(t *testing.T) {
	embedded, err := redisserver.StartEmbedded(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = embedded.Stop() })
	server, err := redisserver.Start(t.Context(), redisserver.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	for _, server := range []Server{embedded, server} {
		if out, err := exec.CommandContext(t.Context(), "bash", "-c", bashPushRedis(strconv.Itoa(server.Port()))).CombinedOutput(); err != nil {
			t.Fatalf("pushing to the %s: %v: %s", server, err, out)
		}
		queue, err := connectRedis(t.Context(), server, "", "task-queue")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(queue.Close)
		awaitWaiting(t, queue, 6) // bash does not wait for the answers
	}
}
