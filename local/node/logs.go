package node

import (
	"os"
	"path/filepath"
	"sync"

	corev1 "k8s.io/api/core/v1"
)

// keptLogs is the number of removed pods whose logs are kept.
const keptLogs = 500

// logs are the files that containers write to, one for all runs of a container.
type logs struct {
	dir string

	mu      sync.Mutex
	retired [][]string // of removed pods, oldest first
}

func newLogs(dir string) (*logs, error) {
	return &logs{dir: dir}, os.MkdirAll(dir, 0o700)
}

// path has one directory for each pod. No name contains an underscore.
func (l *logs) path(namespace, pod, container string) string {
	// A file name has at most 255 bytes, and a pod's name alone may have 253.
	return filepath.Join(l.dir, namespace+"_"+pod, container+".log")
}

func (l *logs) prepare(pod *corev1.Pod) error {
	return os.MkdirAll(filepath.Dir(l.path(pod.Namespace, pod.Name, "")), 0o700)
}

// retire notes that a pod is gone, and removes the oldest logs of removed pods.
func (l *logs) retire(pod *corev1.Pod) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retired = append(l.retired, []string{pod.Namespace, pod.Name})
	if len(l.retired) > keptLogs {
		oldest := l.retired[0]
		l.retired = l.retired[1:]
		_ = os.RemoveAll(filepath.Dir(l.path(oldest[0], oldest[1], "")))
	}
}
