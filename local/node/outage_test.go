package node_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/quickube/qscaler/local/node"
)

// Variables by which this test program is told to be a node that will be killed.
const (
	victimKubeconfig = "TEST_VICTIM_KUBECONFIG"
	victimName       = "TEST_VICTIM_NAME"
	victimDir        = "TEST_VICTIM_DIR"
)

func victim() int {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv(victimKubeconfig))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	name := os.Getenv(victimName)
	n, err := node.New(node.Options{
		Config: config, Name: name, Labels: map[string]string{"test": name}, Dir: os.Getenv(victimDir), Log: logr.Discard(),
	})
	if err == nil {
		err = n.Run(context.Background())
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func TestTheNextNodeEndsWhatAKilledOneLeft(t *testing.T) {
	w := newWorld(t)
	w.stop() // its place is taken by a process that can be killed
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victimKubeconfig+"="+shared.Kubeconfig(), victimName+"="+w.options.Name, victimDir+"="+w.options.Dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	// The kernel kills the worker with its node, but not its child, and not a process that has left the session.
	pod := w.run(`sleep 1000 & echo "child $!"; setsid sleep 1000 & echo "daemon $!"; echo begun; wait`)
	w.await(pod, "ready", ready)
	w.awaitLog(pod, "begun")
	children := numbers(t, w.log(pod))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for _, pid := range children {
		if !alive(pid) {
			t.Fatalf("process %d died with the node: this tests nothing", pid)
		}
	}
	w.start()
	for _, pid := range children {
		if alive(pid) {
			t.Errorf("process %d is still there", pid)
		}
	}
	p := w.await(pod, "restarted", func(p *corev1.Pod) bool { return worker(p).RestartCount == 1 && ready(p) })
	if last := worker(p).LastTerminationState.Terminated; last == nil || last.ExitCode != 137 {
		t.Errorf("the last state is %+v, want exit code 137", last)
	}
}

// numbers are the second words of the lines that have two.
func numbers(t *testing.T, log string) []int {
	t.Helper()
	var found []int
	for line := range strings.Lines(log) {
		if words := strings.Fields(line); len(words) == 2 {
			n, err := strconv.Atoi(words[1])
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, n)
		}
	}
	if len(found) != 2 {
		t.Fatalf("the log is %q", log)
	}
	return found
}

// alive reports whether a process runs. A zombie does not.
func alive(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(data), ") Z ") && syscall.Kill(pid, 0) == nil
}

func TestAnOutageOfTheAPIServer(t *testing.T) {
	w := newWorld(t)
	pod := w.run(`echo begun; while [ ! -e go ]; do sleep 0.02; done; echo done`)
	w.await(pod, "ready", ready)
	if err := shared.KillAPIServer(); err != nil {
		t.Fatal(err)
	}
	release(t, w, pod)
	w.awaitLog(pod, "done")
	if err := shared.StartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.awaitPhase(pod, corev1.PodSucceeded)
	w.awaitPhase(w.run("exit 0"), corev1.PodSucceeded)
}
