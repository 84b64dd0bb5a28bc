package worker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quickube/qscaler/worker"
)

const (
	// chaosLog has this test program be a worker, and is the file that it writes to.
	chaosLog         = "QSCALER_TEST_CHAOS_LOG"
	chaosConcurrency = "QSCALER_TEST_CHAOS_CONCURRENCY"
)

// chaosRetries is enough for tasks that are merely near to what goes wrong.
const chaosRetries = 6

func TestMain(m *testing.M) {
	if path := os.Getenv(chaosLog); path != "" {
		chaosWorker(path)
		return
	}
	if text := os.Getenv(smallMemory); text != "" {
		smallWorker(text)
		return
	}
	os.Exit(m.Run())
}

// chaosWorker does tasks of up to 30 ms, and writes down what it has done. The first word of a payload says what
// kind of task it is.
func chaosWorker(path string) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		log.Fatal(err)
	}
	concurrency, err := strconv.Atoi(os.Getenv(chaosConcurrency))
	if err != nil {
		log.Fatal(err)
	}
	err = worker.Run(context.Background(), func(_ context.Context, t *worker.Task) error {
		<-time.After(rand.N(30 * time.Millisecond))
		kind, _, _ := bytes.Cut(t.Payload, []byte("-"))
		switch string(kind) {
		case "poison":
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		case "flaky":
			if t.Attempt <= 2 {
				return errors.New("not yet")
			}
		case "doomed":
			return errors.New("never")
		case "permanent":
			return worker.Permanent(errors.New("no way"))
		}
		_, err := fmt.Fprintf(file, executionLine, t.ID, t.Payload)
		return err
	}, worker.WithConcurrency(concurrency), worker.WithRetries(chaosRetries),
		worker.WithBackoff(func(int) time.Duration { return 50 * time.Millisecond }))
	if err != nil {
		log.Fatal(err)
	}
}

// execution is a line of a worker's log: a handler has come to its end.
type execution struct{ id, payload string }

const executionLine = "%q %q\n"

// executions reads the logs of a directory.
func executions(dir string) (all []execution, err error) {
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		return nil, err
	}
	for _, path := range logs {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(data)) {
			if !strings.HasSuffix(line, "\n") {
				break // the process was killed before it had written all of it
			}
			var e execution
			if _, err := fmt.Sscanf(line, executionLine, &e.id, &e.payload); err != nil {
				return nil, fmt.Errorf("reading %s at %q, %w", path, line, err)
			}
			all = append(all, e)
		}
	}
	return all, nil
}
