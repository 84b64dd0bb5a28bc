package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Command is what to start.
type Command struct {
	// Name is the process's name among the records of its Launcher; it is a file name.
	Name string
	// Argv is the program and its arguments. A program without a slash is looked up in the PATH of Env.
	Argv []string
	// Env is the whole environment, as NAME=value.
	Env []string
	// Dir is the working directory.
	Dir string
	// Log is the path of the file that gets stdout and stderr, appended. A file and not a pipe, so that
	// the process can go on, and its output is complete, when we die. Empty means that the output is dropped.
	Log string
}

// Exit is how a process ended.
type Exit struct {
	// Code is the exit code; 128 plus the signal's number for a process that a signal has ended, as
	// container runtimes say it.
	Code int
	At   time.Time
}

// Process is a started process and the group that it leads.
type Process struct {
	StartedAt time.Time

	cmd    *exec.Cmd
	record string
	done   chan struct{}

	mu     sync.Mutex // guards reaped: a number must not be signalled once the kernel may give it away
	reaped bool
	exit   Exit
}

// PID is the process's number, which is also its group's and its session's.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended, and what was left of its group has been killed.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit says how the process ended. It may be called once Done is closed.
func (p *Process) Exit() Exit { return p.exit }

// Signal sends a signal to the process alone, as a container runtime does to a container's first process. After SIGSTOP
// it returns when every thread has stopped.
func (p *Process) Signal(sig syscall.Signal) error { return p.kill(p.PID(), sig) }

// SignalGroup sends a signal to the whole process group. After SIGSTOP it returns when every thread of the process has
// stopped.
func (p *Process) SignalGroup(sig syscall.Signal) error { return p.kill(-p.PID(), sig) }

func (p *Process) kill(id int, sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return nil
	}
	if err := syscall.Kill(id, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("sending %s to process %d, %w", sig, p.PID(), err)
	}
	if sig == syscall.SIGSTOP {
		awaitStop(p.PID())
	}
	return nil
}

// Stop asks the process to end, kills its group after the grace period, and returns when it has ended.
func (p *Process) Stop(grace time.Duration) error {
	if grace > 0 {
		if err := p.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-p.done:
			return nil
		case <-timer.C:
		}
	}
	err := p.SignalGroup(syscall.SIGKILL)
	<-p.done
	return err
}

// wait reaps the process. What is left of its group goes first: when a container's first process ends, so
// does the container. It goes before the reaping, because the group's number is ours only until then.
func (p *Process) wait() {
	awaitExit(p.PID())
	p.mu.Lock()
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
	_ = p.cmd.Wait() // the exit code is in ProcessState
	p.reaped = true
	p.mu.Unlock()
	p.exit = Exit{Code: exitCode(p.cmd.ProcessState), At: time.Now()}
	_ = os.Remove(p.record)
	close(p.done)
}

func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
