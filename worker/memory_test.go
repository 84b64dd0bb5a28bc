package worker_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/quickube/qscaler/worker"
)

// smallMemory has this test program be a worker that may have so many bytes more than it begins with.
const smallMemory = "QSCALER_TEST_SMALL_MEMORY"

// rlimitData is RLIMIT_DATA of Linux, which the package syscall does not name everywhere.
const rlimitData = 2

// smallWorker does tasks with little memory.
func smallWorker(text string) {
	var more, kilobytes uint64
	if _, err := fmt.Sscan(text, &more); err != nil {
		log.Fatal(err)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		log.Fatal(err)
	}
	_, data, _ := strings.Cut(string(status), "VmData:")
	if _, err := fmt.Sscan(data, &kilobytes); err != nil {
		log.Fatal(err)
	}
	limit := kilobytes<<10 + more
	if err := syscall.Setrlimit(rlimitData, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		log.Fatal(err)
	}
	if err := worker.Run(context.Background(), func(context.Context, *worker.Task) error { return nil }, worker.WithRetries(1)); err != nil {
		log.Fatal(err)
	}
}

// A task that ends its worker by being received, because the memory is too small for it, is a dead letter in the end
// like one that does so in the handler. What comes after it is done.
func TestATaskThatIsTooLargeForItsWorker(t *testing.T) {
	b := newBench(t)
	payload := bytes.Repeat([]byte("x"), 96<<20)
	b.do("CONFIG", "SET", "appendonly", "no") // it would write all of it, again and again
	start := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0]) //nolint:gosec,noctx // this program; it is killed at the end
		cmd.Env = append(os.Environ(), fmt.Sprint(smallMemory, "=", 64<<20))
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	first := start()
	b.eventually("the worker waits for a task", func() string {
		if text, err := b.do("CLIENT", "LIST").ToString(); err != nil || !strings.Contains(text, "cmd=blmove") {
			return "it does not"
		}
		return ""
	})
	push := b.redis.B().Lpush().Key(queue).Element(string(payload)).Element("small").Build()
	if err := b.redis.Do(t.Context(), push).Error(); err != nil {
		t.Fatal(err)
	}
	// By BLMOVE, unless that takes too long here, in two attempts, and in the one after them, which is made as the only suspect.
	const fewest, ends = 3, 4
	for process, i := first, 1; ; process, i = start(), i+1 {
		ended := make(chan error, 1)
		go func() { ended <- process.Wait() }()
		b.eventually("the end of the worker, or of all tasks", func() string {
			if len(ended) == 0 && (b.dead() == 0 || b.waiting()+b.inHand() > 0) {
				return "neither has come"
			}
			return ""
		})
		if len(ended) == 0 {
			if err := process.Process.Signal(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
			if err := receive(b, ended, "departure"); err != nil || i <= fewest {
				t.Errorf("worker %d left with %v", i, err)
			}
			break
		}
		if err := <-ended; err == nil || i > ends {
			t.Fatalf("worker %d has ended with %v, and there are %d dead letters", i, err, b.dead())
		}
	}
	letters, err := worker.NewClient(b.redis).DeadLetters(t.Context(), queue, 0, 10)
	if err != nil || len(letters) != 1 || !bytes.Equal(letters[0].Payload, payload) || letters[0].Attempts != 3 {
		t.Fatalf("there are %d letters (%v)", len(letters), err)
	}
}
