//go:build realkubelet

package realkubelet

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var (
	kubeconfig = flag.String("node.kubeconfig", "", "kubeconfig of a cluster with one node, on this machine; needed")
	kubeletPID = flag.String("node.kubelet", "", "file with the number of the kubelet's process; needed")
	apiPID     = flag.String("node.apiserver", "", "file with the number of the API server's process; needed")
	start      = flag.String("node.start", "", "command that starts what does not run of the API server and the kubelet; needed")
	podLogs    = flag.String("node.logs", "/var/log/pods", "the kubelet's directory of logs")
)

// container is the name of the worker container.
const container = "worker"

// node is the machine's.
type node struct{ *testing.T }

func findNode(t *testing.T) *node {
	t.Helper()
	for name, value := range map[string]string{"kubeconfig": *kubeconfig, "kubelet": *kubeletPID, "apiserver": *apiPID, "start": *start} {
		if value == "" {
			t.Fatalf("give -node.%s", name)
		}
	}
	return &node{t}
}

// start starts what was killed.
func (n *node) start() error {
	if out, err := exec.Command("sh", "-c", *start).CombinedOutput(); err != nil {
		return fmt.Errorf("%s, %w: %s", *start, err, out)
	}
	return nil
}

// signal sends a signal to the process whose number is in a file.
func signal(file string, s syscall.Signal) error {
	pid, err := numberIn(file)
	if err != nil {
		return err
	}
	return syscall.Kill(pid, s)
}

// kill kills the process whose number is in a file, and returns when it has ended.
func kill(file string) error {
	pid, err := numberIn(file)
	if err != nil {
		return err
	}
	for err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
		<-time.After(10 * time.Millisecond)
	}
	if !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

func numberIn(file string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s has no number of a process, %w", file, err)
	}
	return pid, nil
}

// workers are the processes of the worker containers of a Redis, by their pods.
func workers(address string) (map[string]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil, err
	}
	found := map[string]int{}
	for _, file := range files {
		environ, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended, or is nobody's to look into, and so none of ours
		}
		variables := map[string]string{}
		for v := range bytes.SplitSeq(environ, []byte{0}) {
			name, value, _ := strings.Cut(string(v), "=")
			variables[name] = value
		}
		if variables["QSCALER_BROKER_ADDRESS"] != address {
			continue
		}
		if found[variables["POD_NAME"]], err = strconv.Atoi(filepath.Base(filepath.Dir(file))); err != nil {
			return nil, err
		}
	}
	return found, nil
}
