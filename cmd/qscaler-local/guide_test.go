package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quickube/qscaler/local/brokers"
	"github.com/quickube/qscaler/local/controlplane"
	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/stack"
)

// commandLimit is far more than any command takes, for a busy machine.
const commandLimit = 3 * time.Minute

var (
	shared   *stack.Stack
	worktree string
)

// TestMain starts one local mode for all tests. Its operator is this program.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == stack.OperatorCommand {
		if err := stack.RunOperator(context.Background(), os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code, err := startAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func startAndRun(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "qscaler-guide-")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if worktree, err = exampleworkers.Root(); err != nil {
		return 1, err
	}
	flags := upFlags{}
	metrics, err := flags.metricsAddress()
	if err != nil {
		return 1, err
	}
	shared, err = stack.Start(context.Background(), stack.Options{
		Dir: filepath.Join(dir, "it's here"), Broker: brokers.Default(), Build: exampleworkers.Build, MetricsAddress: metrics,
	})
	if err != nil {
		return 1, err
	}
	defer func() {
		if stopped := shared.Stop(); err == nil {
			err = stopped
		}
	}()
	if err := applyScalerConfig(context.Background(), shared, brokers.Default()); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// testGuide is the guide of the shared local mode, with a kubectl that is there.
func testGuide(t *testing.T) guide {
	t.Helper()
	g := newGuide(shared, brokers.Default(), true)
	if g.missingKubectl != "" {
		t.Fatal(g.missingKubectl)
	}
	return g
}

// shell runs a script as a user's shell does, with the directory of the source tree. It ends a script that goes on for
// ever once it has written something, and returns what was written.
func shell(t *testing.T, script string, endless bool) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir = worktree
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	out := &firstOutput{begun: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if endless {
		select {
		case <-out.begun:
		case <-ctx.Done():
			t.Errorf("%s\nwrites nothing", script)
		}
		cancel()
		_ = cmd.Wait() // it was ended
		return out.String()
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%s\n%v: %s", script, err, out)
	}
	return out.String()
}

// firstOutput tells when something was written to it.
type firstOutput struct {
	written bytes.Buffer
	begun   chan struct{}
}

func (o *firstOutput) Write(p []byte) (int, error) {
	if o.written.Len() == 0 {
		close(o.begun)
	}
	return o.written.Write(p)
}

func (o *firstOutput) String() string { return o.written.String() }

// Every command that local mode prints works as it is printed, in its order.
func TestTheGuidesCommandsWork(t *testing.T) {
	g := testGuide(t)
	var printed bytes.Buffer
	g.print(&printed)
	export := g.steps()[0].command
	for _, s := range g.steps() {
		if !strings.Contains(printed.String(), "\n  "+s.command+"\n") {
			t.Errorf("%s is not printed", s.command)
		}
		if s.endless {
			shell(t, g.push, false) // or the workers might be gone before it looks
		}
		out := shell(t, export+"\n"+s.command, s.endless)
		if strings.Contains(out, "error:") || strings.Contains(out, "Error from server") {
			t.Errorf("%s\nwrites %s", s.command, out)
		}
		if strings.Contains(s.command, "LPUSH") || strings.Contains(s.command, "/dev/tcp") {
			awaitOutput(t, export+"\n"+g.kubectl+" logs --prefix -l quickube.com/qworker="+g.worker, "done t-6")
		}
	}
}

// awaitOutput runs a script until it writes what is wanted.
func awaitOutput(t *testing.T, script, want string) {
	t.Helper()
	deadline := time.Now().Add(commandLimit)
	out := ""
	for time.Now().Before(deadline) {
		cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
		cmd.Dir = worktree
		data, _ := cmd.CombinedOutput() // there may be no pods yet
		if out = string(data); strings.Contains(out, want) {
			return
		}
		<-time.After(100 * time.Millisecond)
	}
	t.Fatalf("%s\nwrites %q, and not %q", script, out, want)
}

// kubectl itself, against what local mode has of a kubelet and of a controller manager.
func TestKubectl(t *testing.T) {
	g := testGuide(t)
	kubectl := g.steps()[0].command + "\n" + g.kubectl + " "
	shell(t, kubectl+"create namespace kubectl-test", false)
	shell(t, kubectl+`-n kubectl-test run one --image=none --command -- sh -c 'echo hello; trap "exit 0" TERM; while :; do sleep 0.1; done'`, false)
	shell(t, kubectl+"-n kubectl-test wait --for=condition=Ready pod/one --timeout=150s", false)
	awaitOutput(t, kubectl+"-n kubectl-test logs one", "hello")
	if out := shell(t, kubectl+"-n kubectl-test logs -f one", true); out != "hello\n" {
		t.Errorf("logs -f writes %q", out)
	}
	for _, verb := range []string{"exec one -- true", "attach one"} {
		awaitOutput(t, kubectl+"-n kubectl-test "+verb, "look at it from a shell of this machine")
	}
	awaitOutput(t, kubectl+"-n kubectl-test port-forward one 18080:80", "forwards no ports: connect to the port on this machine")
	shell(t, kubectl+"-n kubectl-test delete pod one --cascade=foreground --timeout=150s", false)
	shell(t, kubectl+"delete namespace kubectl-test --timeout=150s", false)
}

func TestAGuideWithoutKubectlSaysHowToGetIt(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	guide{kubectl: "kubectl", missingKubectl: controlplane.ErrNoKubectl.Error(), missingClient: "apt-get install redis-tools"}.print(&out)
	for _, want := range []string{"setup --kubectl", "apt-get install redis-tools"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "apply") {
		t.Errorf("it names examples that are not there:\n%s", out.String())
	}
}

// Outside of the source tree there are no examples, and none are spoken of.
func TestAGuideWithoutExamplesOffersNone(t *testing.T) {
	var out bytes.Buffer
	guide{kubectl: "kubectl"}.print(&out)
	if said := out.String(); strings.Contains(said, "examples/") || !strings.Contains(said, "--image name=command") {
		t.Errorf("it says:\n%s", said)
	}
}
