package server

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// children are the processes that the first one has started, where each of those leads a session of its own.
func (s *Server) children() ([]int, error) {
	if !s.options.Sessions {
		return nil, nil
	}
	select {
	case <-s.process.Done(): // the number may be another's by now
		return nil, nil
	default:
	}
	pid := s.process.PID()
	words, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return nil, nil // it has ended
	}
	if err != nil {
		return nil, fmt.Errorf("listing the processes of %s, %w", s.options.Name, err)
	}
	var children []int
	for word := range strings.FieldsSeq(string(words)) {
		child, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("listing the processes of %s, %w", s.options.Name, err)
		}
		children = append(children, child)
	}
	return children, nil
}

func (s *Server) signalEach(sig syscall.Signal, processes []int) error {
	for _, pid := range processes {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("sending %s to process %d of %s, %w", sig, pid, s.options.Name, err)
		}
	}
	return nil
}

// awaitGone waits until killed processes hold nothing any more: a server may not start while the memory of another is in use.
func (s *Server) awaitGone(processes []int) error {
	deadline := time.Now().Add(s.options.StopGrace)
	for _, pid := range processes {
		for !ended(pid) {
			if time.Now().After(deadline) {
				return fmt.Errorf("process %d of %s is still there %s after SIGKILL", pid, s.options.Name, s.options.StopGrace)
			}
			<-time.After(5 * time.Millisecond)
		}
	}
	return nil
}

// ended reports whether a process is gone, or only waits to be reaped by who has adopted it.
func ended(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, state, _ := strings.Cut(string(data[strings.LastIndexByte(string(data), ')')+1:]), " ")
	return strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X")
}
