package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Launcher starts processes and keeps a record of each in a directory.
type Launcher struct {
	dir      string
	requests chan request
	closed   chan struct{}
	once     sync.Once
}

type request struct {
	cmd    *exec.Cmd
	result chan error
}

// NewLauncher makes a launcher that keeps its records in dir, and first kills what a predecessor with the
// same directory has left behind. It returns the names of those. Two launchers that live at the same time
// must not share a directory.
func NewLauncher(dir string) (*Launcher, []string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, nil, err
	}
	killed, err := killLeftovers(dir)
	if err != nil {
		return nil, nil, err
	}
	l := &Launcher{dir: dir, requests: make(chan request), closed: make(chan struct{})}
	go l.serve()
	return l, killed, nil
}

// serve starts every process from one thread. The kernel sends the signal for the parent's death at the death of the
// thread that forked, and Go ends threads that are not locked.
func (l *Launcher) serve() {
	runtime.LockOSThread()
	// Unlocked at the end, so that the thread goes back to the scheduler's pool and does not die.
	defer runtime.UnlockOSThread()
	for {
		select {
		case r := <-l.requests:
			r.result <- r.cmd.Start()
		case <-l.closed:
			return
		}
	}
}

// Start starts a process.
func (l *Launcher) Start(c Command) (*Process, error) {
	cmd, err := l.command(c)
	if err != nil {
		return nil, err
	}
	if c.Log != "" {
		log, err := os.OpenFile(c.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("starting %s, %w", c.Name, err)
		}
		defer func() { _ = log.Close() }()
		cmd.Stdout, cmd.Stderr = log, log
	}
	p := &Process{cmd: cmd, record: filepath.Join(l.dir, c.Name), done: make(chan struct{})}
	if err := l.start(cmd); err != nil {
		return nil, fmt.Errorf("starting %s, %w", c.Name, err)
	}
	p.StartedAt = time.Now()
	err = writeRecord(p.record, p.PID())
	go p.wait()
	if err != nil { // without a record nobody could find the process again
		return nil, errors.Join(fmt.Errorf("recording %s, %w", c.Name, err), p.Stop(0))
	}
	return p, nil
}

func (l *Launcher) command(c Command) (*exec.Cmd, error) {
	if len(c.Argv) == 0 {
		return nil, fmt.Errorf("starting %s: no command", c.Name)
	}
	path, err := lookPath(c.Argv[0], c.Env, c.Dir)
	if err != nil {
		return nil, fmt.Errorf("starting %s, %w", c.Name, err)
	}
	return &exec.Cmd{
		Path:        path,
		Args:        c.Argv,
		Env:         append(c.Env[:len(c.Env):len(c.Env)], marker(l.dir)),
		Dir:         c.Dir,
		SysProcAttr: attributes(),
	}, nil
}

func (l *Launcher) start(cmd *exec.Cmd) error {
	r := request{cmd: cmd, result: make(chan error, 1)}
	select {
	case l.requests <- r:
		return <-r.result
	case <-l.closed:
		return errors.New("the launcher is closed")
	}
}

// KillRemaining kills what has escaped its process group, such as daemons that a worker has started.
func (l *Launcher) KillRemaining() error {
	_, err := killLeftovers(l.dir)
	return err
}

// Close ends the launcher. It ends no process.
func (l *Launcher) Close() { l.once.Do(func() { close(l.closed) }) }

// lookPath finds a program as a shell with that environment would: exec.LookPath looks at our own PATH.
func lookPath(program string, env []string, dir string) (string, error) {
	if strings.Contains(program, "/") {
		if !filepath.IsAbs(program) {
			program = filepath.Join(dir, program)
		}
		return exec.LookPath(program)
	}
	path := ""
	for _, v := range env {
		if value, ok := strings.CutPrefix(v, "PATH="); ok {
			path = value
		}
	}
	for _, directory := range filepath.SplitList(path) {
		if !filepath.IsAbs(directory) {
			continue
		}
		if found, err := exec.LookPath(filepath.Join(directory, program)); err == nil {
			return found, nil
		}
	}
	return "", &exec.Error{Name: program, Err: exec.ErrNotFound}
}
