package examples

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWorkers plays every story with every worker.
func TestWorkers(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"redis-server", "redis-cli", "python3"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is not installed", tool)
		}
	}
	binaries := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", binaries, "./worker-go", "./worker-sdk").CombinedOutput(); err != nil {
		t.Fatalf("building the workers in Go, %v\n%s", err, out)
	}
	workers := map[string][]string{
		"go":     {filepath.Join(binaries, "worker-go")},
		"sdk":    {filepath.Join(binaries, "worker-sdk")},
		"python": {"worker-python/worker.py"},
		"shell":  {"worker-shell/worker.sh"},
	}
	stories := map[string]func(*testing.T, *stage){
		"every payload is done once, the oldest first": payloads,
		"credentials, database and a hash tag":         credentials,
		"TLS with a client certificate":                overTLS(false),
		"TLS with the authorities in a variable":       overTLS(true),
		"TLS where the server speaks none":             neverInTheClear("true"),
		"TLS in a word that is none of ours":           neverInTheClear("yes"),
		"a grant while busy":                           leaveBusy((*pod).grant),
		"SIGTERM while busy":                           leaveBusy((*pod).terminate),
		"a grant while idle":                           leaveIdle((*pod).grant),
		"SIGTERM while idle":                           leaveIdle((*pod).terminate),
		"no drain file is no grant":                    noDrainFile,
		"what the pod holds comes first":               leftovers,
		"kill -9 in the middle of a task":              killed,
		"Redis is killed under load":                   redisKilled,
		"Redis is killed in the middle of a task":      redisKilledWhileBusy,
		"Redis is away, and the worker may leave":      redisAway,
		"the memory of Redis is full":                  full,
		"Redis refuses a command":                      refused,
		"the answer of BLMOVE is dropped":              droppedReply("BLMOVE", cutReply),
		"the answer of BLMOVE never comes":             droppedReply("BLMOVE", holdReply),
		"the answer of LREM is dropped":                droppedReply("LREM", cutReply),
		"a BLMOVE outlives its connection":             lateMove,
	}
	// The SDK speaks other commands, of which its own tests drop the answers; and what a worker with a grant has not
	// begun it hands back.
	unlike := map[string]bool{
		"the answer of BLMOVE is dropped": true, "the answer of BLMOVE never comes": true,
		"what the pod holds comes first": true, "the answer of LREM is dropped": true, "a BLMOVE outlives its connection": true,
	}
	t.Run("those that are refused end", func(t *testing.T) {
		t.Parallel()
		refusedEnd(t, workers)
	})
	for worker, command := range workers {
		for name, story := range stories {
			if worker == "sdk" && unlike[name] {
				continue
			}
			t.Run(worker+"/"+name, func(t *testing.T) {
				t.Parallel()
				story(t, &stage{command: command, queue: "tasks", journal: &journal{t: t}})
			})
		}
	}
}

func payloads(t *testing.T, s *stage) {
	s.startRedis(t)
	megabyte := strings.Repeat("m", 1<<20)
	tasks := []struct{ payload, id string }{
		{`{"id":"t-1","ms":20}`, `t-1`},
		{`{"id":"t-2","ms":0}`, `t-2`},
		{`{"id":"t-1","ms":20}`, `t-1`},
		{``, `""`},
		{``, `""`},
		{"\n", `"\x0a"`},
		{" two  words\n\n", `" two  words\x0a\x0a"`},
		{`"it's" $HOME \ * %s`, `"\x22it's\x22 $HOME \x5c * %s"`},
		{"\x00\x01\xfe\r\n\xff", `"\x00\x01\xfe\x0d\x0a\xff"`},
		{"-x", `"-x"`},
		{"0", `"0"`},
		{megabyte, `"` + megabyte[:80] + `"`},
		{`{"id":"t-3"}`, `t-3`},
	}
	var want []string
	for _, task := range tasks {
		s.push(t, task.payload)
		want = append(want, "started "+task.id, "done "+task.id)
	}
	p := s.startPod(t)
	s.waitForEmpty(t)
	p.grant(t)
	p.waitForExit(t)
	if diff := cmp.Diff(want, s.journal.events()); diff != "" {
		t.Errorf("events, -want +got:\n%s", diff)
	}
}

func credentials(t *testing.T, s *stage) {
	s.queue = "jobs:{eu}:mail"
	s.username, s.password, s.database = "worker", "it's a \"secret\"", 3
	s.startRedis(t)
	s.push(t, `{"id":"t-1"}`)
	p := s.startPod(t)
	s.waitFor(t, "done t-1")
	s.waitForEmpty(t)
	p.terminate(t)
	p.waitForExit(t)
}
