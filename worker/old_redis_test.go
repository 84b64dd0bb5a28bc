package worker_test

import (
	"context"
	"strings"
	"testing"

	"github.com/quickube/qscaler/worker"
)

// A worker that finds a Redis without one of its commands says which version has them. An older Redis is one where they
// are renamed, as far as a worker can see.
func TestARedisThatLacksACommandIsToldFromOneThatRefuses(t *testing.T) {
	for command, said := range map[string]string{"BLMOVE": "BLMOVE", "RPOP": "script"} {
		t.Run(command, func(t *testing.T) {
			b := newBench(t, "--rename-command", command, "")
			log := &lines{}
			b.start(func(context.Context, *worker.Task) error { return nil }, logTo(log))
			b.do("LPUSH", queue, "one") // taken by a script; the worker waits for the next by a command
			b.eventually("the log to say what is needed", func() string {
				text := log.String()
				if !strings.Contains(text, "Redis lacks a command") || !strings.Contains(text, "Redis 6.2 or newer") || !strings.Contains(text, said) {
					return "it has: " + text
				}
				return ""
			})
		})
	}
}
