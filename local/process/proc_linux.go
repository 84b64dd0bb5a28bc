package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// attributes make a process lead a session of its own (Ctrl-C in our terminal is not for it), and die with us.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}

// awaitExit returns when the child has ended, and leaves it to be reaped.
func awaitExit(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// stopLimit is how long a child may take to stop: far more than it does.
const stopLimit = 5 * time.Second

// awaitStop returns when all threads of the child have stopped, or it has ended.
func awaitStop(pid int) {
	for deadline := time.Now().Add(stopLimit); time.Now().Before(deadline); {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
		if err != nil && !errors.Is(err, unix.EINTR) || info.Signo != 0 {
			return
		}
		<-time.After(time.Millisecond)
	}
}

// stats are some columns of /proc/PID/stat.
type stats struct {
	pid     int
	session int
	started uint64 // clock ticks since the machine's boot
	zombie  bool
	ticks   uint64 // clock ticks of CPU that it used
	pages   uint64 // pages of memory that it holds
}

func stat(pid int) (stats, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		if errors.Is(err, syscall.ESRCH) { // it went while it was read
			err = os.ErrNotExist
		}
		return stats{}, err
	}
	// The name is in parentheses and may have blanks and parentheses itself; the state follows it.
	_, rest, _ := strings.Cut(string(data[max(bytes.LastIndexByte(data, ')'), 0):]), " ")
	fields := strings.Fields(rest)
	// proc(5) counts from 1, and these are columns 3, 6, 14, 15, 22 and 24.
	const state, session, user, system, started, resident = 0, 3, 11, 12, 19, 21
	if len(fields) <= resident {
		return stats{}, fmt.Errorf("/proc/%d/stat: unexpected content %q", pid, data)
	}
	s := stats{pid: pid, zombie: fields[state] == "Z" || fields[state] == "X"}
	if s.session, err = strconv.Atoi(fields[session]); err != nil {
		return stats{}, err
	}
	for column, into := range map[int]*uint64{started: &s.started, resident: &s.pages, user: &s.ticks} {
		if *into, err = strconv.ParseUint(fields[column], 10, 64); err != nil {
			return stats{}, err
		}
	}
	inKernel, err := strconv.ParseUint(fields[system], 10, 64)
	s.ticks += inKernel
	return s, err
}

func processes() ([]stats, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var table []stats
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		s, err := stat(pid)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		table = append(table, s)
	}
	return table, nil
}

// hasMarker reports whether the process was started with that variable. The environment of another user cannot be
// read, and is not ours.
func hasMarker(pid int, variable string) bool {
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return false
	}
	for v := range bytes.SplitSeq(environ, []byte{0}) {
		if string(v) == variable {
			return true
		}
	}
	return false
}

func bootID() (string, error) {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(data)), err
}

// awaitGone waits until the kernel has ended the killed processes. They are no children of ours, so that only the
// process table tells. A zombie holds nothing any more.
func awaitGone(victims []stats) error {
	const waitLimit = 10 * time.Second
	deadline := time.Now().Add(waitLimit)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for _, v := range victims {
		for {
			s, err := stat(v.pid)
			if err != nil || s.zombie || s.started != v.started {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("process %d of an earlier run is still there %s after SIGKILL", v.pid, waitLimit)
			}
			<-tick.C
		}
	}
	return nil
}
