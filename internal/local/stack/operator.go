package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/quickube/qscaler/internal/local/process"
)

// operatorGrace is how long the operator has from SIGTERM to SIGKILL.
const operatorGrace = 10 * time.Second

// Operator is the operator's process. It is one of its own, so that it can be killed without warning as a
// node's failure would, and started again.
type Operator struct {
	dir      string
	argv     []string
	launcher *process.Launcher
	process  *process.Process
}

// newOperator prepares the process. lease is the namespace of the lease that it must hold to act; "" means
// that there is no other.
func newOperator(dir string, argv []string, kubeconfig, lease string) (*Operator, error) {
	if len(argv) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("finding our own program, to run the operator with: %w", err)
		}
		argv = []string{self, OperatorCommand}
	}
	launcher, _, err := process.NewLauncher(filepath.Join(dir, "processes"))
	if err != nil {
		return nil, err
	}
	argv = append(argv[:len(argv):len(argv)], kubeconfig)
	if lease != "" {
		argv = append(argv, lease)
	}
	return &Operator{dir: dir, argv: argv, launcher: launcher}, nil
}

// Start starts the operator, again after Kill.
func (o *Operator) Start() error {
	p, err := o.launcher.Start(process.Command{
		Name: operatorName, Argv: o.argv, Env: os.Environ(), Dir: o.dir, Log: o.Log(),
	})
	if err != nil {
		return err
	}
	o.process = p
	return nil
}

// Kill ends the operator with SIGKILL.
func (o *Operator) Kill() error { return o.process.Stop(0) }

// Done is closed when the process that was started last has ended.
func (o *Operator) Done() <-chan struct{} { return o.process.Done() }

// Log is the path of the operator's log, over all its starts.
func (o *Operator) Log() string { return filepath.Join(o.dir, "operator.log") }

// LogTail is the end of the log, for an error message.
func (o *Operator) LogTail() string {
	data, err := os.ReadFile(o.Log())
	if err != nil {
		return err.Error()
	}
	const enough = 2000
	return string(data[max(0, len(data)-enough):])
}

func (o *Operator) close() error {
	defer o.launcher.Close()
	if o.process == nil {
		return nil
	}
	return o.process.Stop(operatorGrace)
}
