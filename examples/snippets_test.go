package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSnippets runs each snippet of docs/worker-contract.md. Its take answers with one task and then with
// none; its work says so.
func TestSnippets(t *testing.T) {
	const work = `
var taken bool
func take(wait time.Duration) (string, bool) {
	if taken { time.Sleep(wait/10); return "", false }
	taken = true
	return "t", true
}
func work(string) { os.Stdout.WriteString("started\n"); time.Sleep(time.Second); os.Stdout.WriteString("done\n") }
`
	languages := map[string]struct {
		heading, file string
		run           []string
		before, after string
		optional      bool // a language that the project itself does not need
	}{
		"go": {heading: "### Go", file: "main.go", run: []string{"go"}, before: `package main
import ("context"; "os"; "os/signal"; "syscall"; "time")
`, after: work},
		"go with drain": {heading: "### Go, with the package drain", file: "main.go", run: []string{"go"}, before: `package main
import ("context"; "os"; "time"; "github.com/quickube/qscaler/worker/drain")
`, after: work},
		"python": {heading: "### Python", file: "worker.py", run: []string{"python3"}, before: `
import time
tasks = ["t"]
def take(timeout):
    if tasks: return tasks.pop()
    time.sleep(timeout / 10)
def work(task):
    print("started", flush=True); time.sleep(1); print("done", flush=True)
`},
		"shell": {heading: "### Shell", file: "worker.sh", run: []string{"sh"}, before: `
taken=$(mktemp -u); trap 'rm -f "$taken"' EXIT
take() { if [ -e "$taken" ]; then sleep 0.1; return 1; fi; : >"$taken"; echo t; }
work() { echo started; sleep 1; echo done; }
`},
		"node": {optional: true, heading: "### Node.js", file: "worker.mjs", run: []string{"node"}, before: `
const sleep = (s) => new Promise((done) => setTimeout(done, s * 1000))
const tasks = ['t']
async function take(wait) { if (tasks.length) return tasks.pop(); await sleep(wait / 10); return null }
async function work() { console.log('started'); await sleep(1); console.log('done') }
`},
		"ruby": {optional: true, heading: "### Ruby", file: "worker.rb", run: []string{"ruby"}, before: `
$stdout.sync = true
$tasks = ['t']
def take(wait) = $tasks.pop || (sleep(wait / 10.0); nil)
def work(_task) = (puts 'started'; sleep 1; puts 'done')
`},
	}
	endings := map[string]func(*pod, *testing.T){"grant": (*pod).grant, "SIGTERM": (*pod).terminate}
	page, err := os.ReadFile("../docs/worker-contract.md")
	must(t, err)
	for language, l := range languages {
		for ending, tell := range endings {
			t.Run(language+"/"+ending, func(t *testing.T) {
				t.Parallel()
				if _, err := exec.LookPath(l.run[0]); err != nil {
					if l.optional {
						t.Skipf("%s is not installed, its snippet is not tried", l.run[0])
					}
					t.Fatalf("%s is not installed", l.run[0])
				}
				file := filepath.Join(t.TempDir(), l.file)
				must(t, os.WriteFile(file, []byte(l.before+block(t, string(page), l.heading)+l.after), 0o644))
				command := append(l.run, file)
				if l.run[0] == "go" {
					command = []string{strings.TrimSuffix(file, ".go")}
					out, err := exec.Command("go", "build", "-o", command[0], file).CombinedOutput()
					if err != nil {
						t.Fatalf("%v\n%s", err, out)
					}
				}
				out := &journal{t: t}
				p := (&stage{command: command, journal: out}).startPod(t)
				eventually(t, "the snippet is at work", func() bool { return out.text() != "" })
				tell(p, t)
				p.waitForExit(t)
				if diff := cmp.Diff("started\ndone\n", out.text()); diff != "" {
					t.Errorf("output, -want +got:\n%s", diff)
				}
			})
		}
	}
}

// block is the first fenced block after the heading.
func block(t *testing.T, page, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(page, "\n"+heading+"\n")
	_, rest, opened := strings.Cut(rest, "\n```")
	_, rest, named := strings.Cut(rest, "\n")
	code, _, closed := strings.Cut(rest, "\n```")
	if !found || !opened || !named || !closed {
		t.Fatalf("no code under %q", heading)
	}
	return code + "\n"
}
