package node

import (
	"os"
	"path/filepath"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
)

// keptLogs is the number of removed pods whose logs are kept.
const keptLogs = 500

// logs are the files that containers write to, one for all runs of a container.
type logs struct {
	dir string

	mu      sync.Mutex
	runs    map[string]containerRuns // by path
	retired [][]string               // of removed pods, oldest first
}

// containerRuns are the runs of one container: where each begins in the file, and whether the latest still writes.
type containerRuns struct {
	begins  []int64
	running bool
}

func newLogs(dir string) (*logs, error) {
	return &logs{dir: dir, runs: map[string]containerRuns{}}, os.MkdirAll(dir, 0o700)
}

// path has one directory for each pod. No name contains an underscore.
func (l *logs) path(namespace, pod, container string) string {
	// A file name has at most 255 bytes, and a pod's name alone may have 253.
	return filepath.Join(l.dir, namespace+"_"+pod, container+".log")
}

func (l *logs) prepare(pod *corev1.Pod) error {
	return os.MkdirAll(filepath.Dir(l.path(pod.Namespace, pod.Name, "")), 0o700)
}

// begins notes that a run is about to write to a file.
func (l *logs) begins(path string) {
	at := int64(0)
	if info, err := os.Stat(path); err == nil {
		at = info.Size()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.runs[path]
	l.runs[path] = containerRuns{begins: append(slices.Clip(r.begins), at), running: true}
}

// ended notes that the latest run writes no more.
func (l *logs) ended(path string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.runs[path]
	r.running = false
	l.runs[path] = r
}

// of are the runs that have written to a file.
func (l *logs) of(path string) containerRuns {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.runs[path]
}

// retire notes that a pod is gone, and removes the oldest logs of removed pods.
func (l *logs) retire(pod *corev1.Pod) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		delete(l.runs, l.path(pod.Namespace, pod.Name, c.Name))
	}
	l.retired = append(l.retired, []string{pod.Namespace, pod.Name})
	if len(l.retired) > keptLogs {
		oldest := l.retired[0]
		l.retired = l.retired[1:]
		_ = os.RemoveAll(filepath.Dir(l.path(oldest[0], oldest[1], "")))
	}
}
