package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quickube/qscaler/local/controlplane"
	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
	"github.com/quickube/qscaler/local/stack"
)

// commandLimit is far more than any command takes: one waits for workers, and for the claim of an operator that was killed.
const commandLimit = 5 * time.Minute

// The commands of docs/install.md do what it says, whatever goes first: no task is cut, and nothing is left. The stack is
// the story's own, because its kinds and its operator's rights go.
func TestUninstall(t *testing.T) {
	t.Parallel()
	own := startOwnStack(t)
	s := tellOn(t, own, "", redisservertest.Start(t))
	s.run(printed(t, "Install"))
	s.startFleet()

	// The operator goes first: its workers work on. What then is deleted waits for an operator that is back.
	s.run("kubectl delete -k config/default --ignore-not-found")
	if err := own.Operator().Kill(); err != nil {
		t.Fatal(err)
	}
	s.push(tasks(3, time.Second)...)
	s.awaitDone()
	s.run("kubectl delete -k config/crd --wait=false")
	s.run(printed(t, "Install"))
	s.startOperatorAgain()
	s.run("kubectl wait --for=delete crd/qworkers.quickube.com --timeout=280s")
	s.allDone()

	// The kinds go first: the operator, which takes them up when they are back, lets the workers finish.
	s.run(printed(t, "Install"))
	s.startFleet()
	s.run("kubectl delete -k config/crd")
	s.allDone()

	// The printed order.
	s.run(printed(t, "Install"))
	s.startFleet()
	s.run(printed(t, "Uninstall"))
	s.allDone()
	if left := s.run("kubectl get crds,clusterroles,clusterrolebindings,namespaces -o name | grep -e quickube -e qscaler || true"); left != "" {
		t.Errorf("this is left:\n%s", left)
	}
}

// startFleet makes a fleet, and returns when three of its workers are in the middle of a task.
func (s *story) startFleet() {
	s.Helper()
	s.create(s.scalerConfig(), makeFleet("mail").replicas(1, 3))
	s.makeBusy("mail", 3, 4*time.Second)
}

// allDone fails the story unless every task was done once, and nothing is left of the fleet.
func (s *story) allDone() {
	s.Helper()
	if b := s.sound(); b.DoneOnce != s.pushed {
		s.Errorf("not every task was done once: %s", b)
	}
	s.nothingLeft()
}

func startOwnStack(t *testing.T) *stack.Stack {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	own, err := stack.Start(ctx, stack.Options{
		Dir: filepath.Join(t.TempDir(), "stack"), Images: images, CrashBackOff: time.Second,
		Progress: func(format string, args ...any) { t.Logf(format, args...) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := own.Stop(); err != nil {
			t.Error(err)
		}
	})
	return own
}

// startOperatorAgain starts an operator in the place of the one whose account is gone. In a cluster its Deployment does.
func (s *story) startOperatorAgain() {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), startTimeout)
	defer cancel()
	again, err := stack.StartOnCluster(ctx, stack.Options{
		Dir: filepath.Join(s.TempDir(), "operator"), Progress: func(format string, args ...any) { s.Logf(format, args...) },
	}, s.stack.Kubeconfig())
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if err := again.Stop(); err != nil {
			s.Error(err)
		}
	})
}

// run runs commands as a person does, at the root of the source tree, and returns what they write.
func (s *story) run(commands string) string {
	s.Helper()
	kubectl, err := controlplane.FindKubectl()
	if err != nil {
		s.Fatal(err)
	}
	root, err := exampleworkers.Root()
	if err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.Context(), commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euc", commands)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "KUBECONFIG="+s.stack.Kubeconfig(), "KUBECACHEDIR="+s.TempDir(),
		"PATH="+filepath.Dir(kubectl)+string(filepath.ListSeparator)+os.Getenv("PATH"))
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		s.Fatalf("%s\n%v: %s%s", commands, err, out, complaints.String())
	}
	return string(out)
}

// printed are the commands of a section of docs/install.md.
func printed(t *testing.T, heading string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("docs/install.md has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	_, block, found := strings.Cut(section, "```sh\n")
	commands, _, ended := strings.Cut(block, "```")
	if !found || !ended {
		t.Fatalf("section %q of docs/install.md has no commands", heading)
	}
	return commands
}
