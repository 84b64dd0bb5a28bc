package stack

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/quickube/qscaler/internal/backoff"
	"github.com/quickube/qscaler/local/process"
)

// operatorGrace is how long the operator has from SIGTERM to SIGKILL.
const operatorGrace = 10 * time.Second

// restart is the pause before an operator that has ended by itself is started again, as a kubelet does it.
var restart = backoff.Policy{First: time.Second, Longest: 30 * time.Second}

// Operator is the operator's process. It is separate, so that it can be killed as by a node's failure, and started
// again. One that ends by itself is started again, and it is said.
type Operator struct {
	dir      string
	argv     []string
	metrics  string
	launcher *process.Launcher
	say      func(format string, args ...any)

	mu      sync.Mutex
	process *process.Process
	// killed is closed when the process is to end, nil while none runs.
	killed  chan struct{}
	looking sync.WaitGroup
}

// newOperator prepares the process. lease is the namespace of the lease that it must hold to act; "" means
// that there is no other.
func newOperator(dir string, o Options, kubeconfig, lease string) (*Operator, error) {
	argv := o.Operator
	if len(argv) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("finding our own program, to run the operator with, %w", err)
		}
		argv = []string{self, OperatorCommand}
	}
	launcher, _, err := process.NewLauncher(filepath.Join(dir, "processes"))
	if err != nil {
		return nil, err
	}
	argv = append(argv[:len(argv):len(argv)], kubeconfig, cmp.Or(o.MetricsAddress, noMetrics))
	if lease != "" {
		argv = append(argv, lease)
	}
	return &Operator{dir: dir, argv: argv, metrics: o.MetricsAddress, launcher: launcher, say: o.Progress}, nil
}

var errOperatorRuns = errors.New("the operator runs already")

// Start starts the operator, again after Kill.
func (o *Operator) Start() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.killed != nil {
		return errOperatorRuns
	}
	if err := o.launch(); err != nil {
		return err
	}
	killed := make(chan struct{})
	o.killed = killed
	o.looking.Go(func() { o.lookAfter(killed) })
	return nil
}

func (o *Operator) launch() error {
	p, err := o.launcher.Start(process.Command{
		Name: operatorName, Argv: o.argv, Env: os.Environ(), Dir: o.dir, Log: o.Log(),
	})
	if err != nil {
		return err
	}
	o.process = p
	return nil
}

// lookAfter starts the operator again whenever it ends, until it is killed.
func (o *Operator) lookAfter(killed <-chan struct{}) {
	for pause := time.Duration(0); ; {
		p := o.running()
		<-p.Done()
		if isClosed(killed) {
			return
		}
		if p.Exit().At.Sub(p.StartedAt) > restart.Longest {
			pause = 0
		}
		pause = restart.Next(pause)
		o.say("the operator has ended with exit code %d, and is started again in %s; its log %s ends with:\n%s", p.Exit().Code, pause, o.Log(), o.logTail())
		select {
		case <-killed:
			return
		case <-time.After(pause):
		}
		if err := o.relaunch(killed); err != nil {
			o.say("starting the operator again, %v", err)
		}
	}
}

// relaunch starts the operator, unless it was killed meanwhile.
func (o *Operator) relaunch(killed <-chan struct{}) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if isClosed(killed) {
		return nil
	}
	return o.launch()
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (o *Operator) running() *process.Process {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.process
}

// Kill ends the operator with SIGKILL. It stays dead until Start.
func (o *Operator) Kill() error { return o.end(0) }

// end ends the operator after a grace period, and has it started no more.
func (o *Operator) end(grace time.Duration) error {
	o.mu.Lock()
	killed, p := o.killed, o.process
	o.killed = nil
	if killed != nil {
		close(killed)
	}
	o.mu.Unlock()
	if killed == nil {
		return nil
	}
	err := p.Stop(grace)
	o.looking.Wait()
	return err
}

// Metrics is the address of the metrics, for a browser or curl; "" while none are served.
func (o *Operator) Metrics() string {
	if o.metrics == "" {
		return ""
	}
	return "http://" + o.metrics + "/metrics"
}

// Log is the path of the operator's log, over all its starts.
func (o *Operator) Log() string { return filepath.Join(o.dir, "operator.log") }

// logTail is the end of the log, for a message.
func (o *Operator) logTail() string {
	data, err := os.ReadFile(o.Log())
	if err != nil {
		return err.Error()
	}
	const enough = 2000
	return string(data[max(0, len(data)-enough):])
}

func (o *Operator) close() error {
	defer o.launcher.Close()
	return o.end(operatorGrace)
}
