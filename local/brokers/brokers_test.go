package brokers

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// testLimit is far more than any step takes, for a busy machine.
const testLimit = 3 * time.Minute

// Each broker starts with a password and without one, takes tasks from a producer and from the printed command, counts them
// and has them, and is gone when it is stopped.
func TestEachBroker(t *testing.T) {
	for _, b := range All() {
		t.Run(b.Name, func(t *testing.T) {
			t.Run("with a password", func(t *testing.T) { takesAPush(t, b) })
			t.Run("the printed command", func(t *testing.T) { takesThePrintedPush(t, b) })
		})
	}
}

func startForTest(t *testing.T, b Broker, password string) Server {
	t.Helper()
	server, err := b.Start(t.Context(), Options{Dir: filepath.Join(t.TempDir(), "broker"), Password: password, Progress: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	return server
}

func connectForTest(t *testing.T, b Broker, server Server, password, queue string) Queue {
	t.Helper()
	connected, err := b.Connect(t.Context(), server, password, queue)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(connected.Close)
	return connected
}

func takesAPush(t *testing.T, b Broker) {
	server := startForTest(t, b, "secret")
	queue := connectForTest(t, b, server, "secret", "task-queue")
	want := []string{`{"id":"t-1"}`, `{"id":"t-2"}`}
	for _, payload := range want {
		if err := queue.Push(t.Context(), payload); err != nil {
			t.Fatal(err)
		}
	}
	awaitWaiting(t, queue, 2)
	payloads, err := queue.Payloads(t.Context())
	slices.Sort(payloads)
	if err != nil || !slices.Equal(payloads, want) {
		t.Errorf("it has %q (%v), want %q", payloads, err, want)
	}
	if other, err := b.Connect(t.Context(), server, "wrong", "task-queue"); err == nil {
		other.Close()
		t.Error("it takes a wrong password")
	}
	if err := server.Stop(); err != nil {
		t.Error(err)
	}
	if other, err := b.Connect(t.Context(), server, "secret", "task-queue"); err == nil {
		other.Close()
		t.Error("it answers after it was stopped")
	}
}

func takesThePrintedPush(t *testing.T, b Broker) {
	if missing := b.MissingClient(); missing != "" {
		t.Fatal(missing)
	}
	server := startForTest(t, b, "")
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "bash", "-c", b.Push(server)).CombinedOutput(); err != nil {
		t.Fatalf("%s\n%v: %s", b.Push(server), err, out)
	}
	queue := connectForTest(t, b, server, "", "task-queue")
	awaitWaiting(t, queue, 6)
	payloads, err := queue.Payloads(t.Context())
	if err != nil || !slices.Contains(payloads, `{"id":"t-6","ms":5000}`) {
		t.Errorf("it has %q (%v)", payloads, err)
	}
}

func awaitWaiting(t *testing.T, queue Queue, want int64) {
	t.Helper()
	deadline := time.Now().Add(testLimit)
	for {
		waiting, inFlight, err := queue.Depth(t.Context(), nil)
		if err == nil && waiting == want && inFlight == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d wait and %d are in flight (%v), want %d and 0", waiting, inFlight, err, want)
		}
		<-time.After(10 * time.Millisecond)
	}
}
