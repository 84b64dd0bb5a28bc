package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// markerName is the environment variable that tells whose a process is, by the directory of its records.
const markerName = "QSCALER_LOCAL_PROCESSES"

func marker(dir string) string { return markerName + "=" + dir }

func writeRecord(path string, pid int) error {
	s, err := stat(pid)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it has ended already, and is waited for by us
	}
	if err != nil {
		return err
	}
	boot, err := bootID()
	if err != nil {
		return err
	}
	return os.WriteFile(path, fmt.Appendf(nil, "%d %d %s\n", pid, s.started, boot), 0o600)
}

// killLeftovers kills the processes that the records of the directory name, waits until they are gone, and removes
// the records. These are leftovers:
//
//   - A process with a recorded number, if it has the recorded start time of the same boot.
//   - A session whose leader is gone: the kernel does not reuse a number that still names a session.
//   - Every other process with the marker.
//
// A program that overwrites its environment (to set its title) is found by its number or its session.
func killLeftovers(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	table, err := processes()
	if err != nil {
		return nil, err
	}
	var victims []stats
	var names []string
	for _, entry := range entries {
		r, ok := readRecord(filepath.Join(dir, entry.Name()))
		if ok && r.boot == boot {
			if found := r.session(table); len(found) > 0 {
				victims = append(victims, found...)
				names = append(names, entry.Name())
			}
		}
	}
	for _, s := range table {
		if s.pid != os.Getpid() && hasMarker(s.pid, marker(dir)) {
			victims = append(victims, s)
		}
	}
	for _, s := range victims {
		if err := syscall.Kill(s.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return nil, fmt.Errorf("killing process %d of an earlier run, %w", s.pid, err)
		}
	}
	if err := awaitGone(victims); err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	return names, nil
}

type record struct {
	pid     int
	started uint64
	boot    string
}

// readRecord reports false for a file that is not a record, or was only partly written.
func readRecord(path string) (record, bool) {
	var r record
	data, err := os.ReadFile(path)
	if err != nil {
		return r, false
	}
	n, err := fmt.Sscanf(string(data), "%d %d %s\n", &r.pid, &r.started, &r.boot)
	return r, err == nil && n == 3 && r.pid > 1
}

// session are the processes of the record's session.
func (r record) session(table []stats) []stats {
	var found []stats
	for _, s := range table {
		if s.pid == r.pid && s.started != r.started {
			return nil // another process leads a session of this number now
		}
		if s.session == r.pid && s.started >= r.started && !s.zombie {
			found = append(found, s)
		}
	}
	return found
}
