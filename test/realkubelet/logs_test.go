//go:build realkubelet

package realkubelet

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// logs keeps what the workers write. The kubelet removes a log with its container, so each gets a second name at once.
type logs struct {
	dir  string
	mu   sync.Mutex
	read map[string]int64 // how much was taken over, by the path of the second name
}

// followLogs gives each log of the namespace's workers a second name, until the story ends.
func (s *story) followLogs() *logs {
	dir, err := os.MkdirTemp(filepath.Dir(*podLogs), "qscaler-kills-") // names of one file are on one file system
	if err != nil {
		s.Fatal(err)
	}
	l := &logs{dir: dir, read: map[string]int64{}}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for s.Context().Err() == nil {
			if err := l.link(s.namespace); err != nil {
				s.Error(err)
				return
			}
			<-time.After(50 * time.Millisecond)
		}
	}()
	s.Cleanup(func() {
		<-ended
		if !s.Failed() {
			_ = os.RemoveAll(dir)
		}
	})
	return l
}

func (l *logs) link(namespace string) error {
	// NAMESPACE_POD_UID/CONTAINER/RESTARTS.log
	found, err := filepath.Glob(filepath.Join(*podLogs, namespace+"_*", container, "*.log"))
	if err != nil {
		return err
	}
	for _, log := range found {
		_, pod, _ := strings.Cut(filepath.Base(filepath.Dir(filepath.Dir(log))), "_")
		pod, _, _ = strings.Cut(pod, "_")
		if err := os.MkdirAll(filepath.Join(l.dir, pod), 0o700); err != nil {
			return err
		}
		err := os.Link(log, filepath.Join(l.dir, pod, filepath.Base(log)))
		if err != nil && !errors.Is(err, os.ErrExist) && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// refresh has the books read what is new.
func (s *story) refresh() {
	s.Helper()
	pods, err := s.logs.gather()
	if err != nil {
		s.Fatal(err)
	}
	for _, pod := range pods {
		s.books.Follow(pod, s.logs.path(pod))
	}
	if err := s.books.Refresh(); err != nil {
		s.Fatal(err)
	}
}

// path is that of a pod's log as its workers wrote it, over all restarts.
func (l *logs) path(pod string) string { return filepath.Join(l.dir, pod+".txt") }

// gather appends to the logs of all pods what is new, and returns the pods.
func (l *logs) gather() (pods []string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.IsDir() {
			pods = append(pods, e.Name())
			if err := l.append(e.Name()); err != nil {
				return nil, err
			}
		}
	}
	return pods, nil
}

func (l *logs) append(pod string) error {
	parts, err := filepath.Glob(filepath.Join(l.dir, pod, "*.log"))
	if err != nil {
		return err
	}
	slices.SortFunc(parts, func(a, b string) int { return restarts(a) - restarts(b) })
	out, err := os.OpenFile(l.path(pod), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	for _, part := range parts {
		file, err := os.Open(part)
		if err != nil {
			return err
		}
		data, err := io.ReadAll(io.NewSectionReader(file, l.read[part], 1<<62))
		_ = file.Close()
		if err != nil {
			return err
		}
		complete := data[:bytes.LastIndexByte(data, '\n')+1]
		l.read[part] += int64(len(complete))
		for line := range strings.Lines(string(complete)) {
			// 2026-01-02T03:04:05.678Z stdout F what was written
			if fields := strings.SplitN(line, " ", 4); len(fields) == 4 && fields[1] == "stdout" {
				if _, err := out.WriteString(fields[3]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func restarts(path string) int {
	n, _ := strconv.Atoi(strings.TrimSuffix(filepath.Base(path), ".log"))
	return n
}
