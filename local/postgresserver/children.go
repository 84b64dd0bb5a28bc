package postgresserver

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// children are the processes that the first one has started, one for each connection. Each leads a session of its own, so
// that no signal to a group reaches them.
func (s *Server) children() ([]int, error) {
	pid := s.process.PID()
	words, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return nil, nil // it has ended
	}
	if err != nil {
		return nil, fmt.Errorf("listing the processes of PostgreSQL, %w", err)
	}
	var children []int
	for word := range strings.FieldsSeq(string(words)) {
		child, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("listing the processes of PostgreSQL, %w", err)
		}
		children = append(children, child)
	}
	return children, nil
}

// signalAll sends a signal to the first process, and then to those that it has started until then.
func (s *Server) signalAll(sig syscall.Signal) error {
	if err := s.process.Signal(sig); err != nil {
		return err
	}
	children, err := s.children()
	if err != nil {
		return err
	}
	return signal(sig, children)
}

func signal(sig syscall.Signal, processes []int) error {
	for _, pid := range processes {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("sending %s to process %d of PostgreSQL, %w", sig, pid, err)
		}
	}
	return nil
}

// awaitGone waits until killed processes hold nothing any more: the server does not start while its memory is in use.
func awaitGone(processes []int) error {
	deadline := time.Now().Add(stopGrace)
	for _, pid := range processes {
		for !ended(pid) {
			if time.Now().After(deadline) {
				return fmt.Errorf("process %d of PostgreSQL is still there %s after SIGKILL", pid, stopGrace)
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
