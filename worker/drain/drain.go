// Package drain tells a Go worker when it must take no more tasks: by the drain file, by SIGTERM or SIGINT, or because
// its context is done. It is for any worker, also for one that does not use the SDK.
//
//	leave := drain.Watch(ctx)
//	defer leave.Stop()
//	for {
//		if _, told := leave.Look(); told {
//			return // with exit code 0
//		}
//		if task, ok := take(time.Second); ok {
//			work(task)
//		}
//	}
//
// It imports the standard library and the package contract, and nothing else. What a worker does until it leaves, and
// every broker, belong elsewhere.
package drain

import (
	"cmp"
	"context"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/quickube/qscaler/worker/contract"
)

// Interval is how often the drain file is opened.
const Interval = 250 * time.Millisecond

// Reasons beside those in the drain file. See the Reason constants of the package contract for these.
const (
	// SIGTERM means that the pod is deleted: by a node drain, by kubectl, or by the operator.
	SIGTERM contract.Reason = "SIGTERM"
	// SIGINT means that somebody at a terminal has pressed Ctrl-C.
	SIGINT contract.Reason = "SIGINT"
	// ContextDone means that the context of Watch is done.
	ContextDone contract.Reason = "the context is done"
	// Unnamed means that the drain file has only white space.
	Unnamed contract.Reason = "the drain file is not empty"
)

// Watcher knows whether the worker must take no more tasks. All methods may be called from many goroutines.
type Watcher struct {
	file    string
	signals []os.Signal

	// looking makes one look at the file follow another: an earlier answer must not replace a later one.
	looking sync.Mutex

	mu          sync.Mutex
	final       contract.Reason // a signal or the context, which nobody takes back
	granted     contract.Reason // the file, which the operator may empty again
	told        chan struct{}   // closed while the worker must take no more; a new one when that is taken back
	interrupted time.Time       // the first SIGINT
	cut         chan struct{}

	stop     context.CancelFunc
	watching sync.WaitGroup
}

// Option changes what is watched.
type Option func(*Watcher)

// WithFile sets the path of the drain file. The default is the variable QSCALER_DRAIN_FILE, and /etc/qscaler/drain
// where that is empty.
func WithFile(path string) Option { return func(w *Watcher) { w.file = path } }

// WithSignals sets the signals that tell the worker to leave. The default is SIGTERM and SIGINT. With none, no signal
// is handled.
func WithSignals(signals ...os.Signal) Option { return func(w *Watcher) { w.signals = signals } }

// Watch looks at the drain file at once, and then watches it, the signals and ctx until Stop is called. When ctx is
// done, the worker must take no more tasks; the watch goes on.
func Watch(ctx context.Context, opts ...Option) *Watcher {
	w := &Watcher{
		file:    cmp.Or(os.Getenv(contract.EnvDrainFile), contract.DrainFile),
		signals: []os.Signal{syscall.SIGTERM, os.Interrupt},
		told:    make(chan struct{}), cut: make(chan struct{}),
	}
	for _, option := range opts {
		option(w)
	}
	signals := make(chan os.Signal, 2)
	if len(w.signals) > 0 { // with none, Notify takes all signals
		signal.Notify(signals, w.signals...)
	}
	if ctx.Err() != nil {
		w.forGood(ContextDone)
	}
	w.Look()
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	w.stop = stop
	w.watching.Go(func() {
		defer signal.Stop(signals)
		w.watch(watching, ctx, signals)
	})
	return w
}

// Stop ends the watch. Signals have their former effect then, and what was told last stays.
func (w *Watcher) Stop() {
	w.stop()
	w.watching.Wait()
}

// Look opens the drain file now, and reports whether the worker must take no more tasks, and why. Call it before each
// take, and before the worker leaves: the operator may have taken the grant back.
func (w *Watcher) Look() (reason contract.Reason, told bool) {
	w.looking.Lock()
	defer w.looking.Unlock()
	granted := read(w.file)
	w.change(func() { w.granted = granted })
	return w.Told()
}

// Told reports what is known since the last look, which was at most an Interval ago. It costs no system call.
func (w *Watcher) Told() (reason contract.Reason, told bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	reason = cmp.Or(w.final, w.granted)
	return reason, reason != ""
}

// Done returns a channel that is closed when the worker must take no more tasks. Ask for it anew after each wait: when
// the grant is taken back, there is another channel.
func (w *Watcher) Done() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.told
}

// pressedAgain is how long after the first SIGINT another is somebody's wish. What comes earlier is the same one: the
// terminal sends it to all processes, and those that started the worker pass it on.
const pressedAgain = 200 * time.Millisecond

// Cut returns a channel that is closed by a second SIGINT, 200 ms or more after the first: who presses Ctrl-C again does
// not want to wait for the tasks. No number of SIGTERMs closes it: some runtimes send two within moments, and the kubelet
// repeats it.
func (w *Watcher) Cut() <-chan struct{} { return w.cut }

func (w *Watcher) watch(watching, ctx context.Context, signals <-chan os.Signal) {
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	ended := ctx.Done()
	for {
		select {
		case <-watching.Done():
			return
		case <-ended:
			ended = nil
			w.forGood(ContextDone)
		case s := <-signals:
			w.receive(s, time.Now())
		case <-tick.C:
			w.Look()
		}
	}
}

func (w *Watcher) receive(s os.Signal, at time.Time) {
	w.forGood(nameOf(s))
	if s != os.Interrupt {
		return
	}
	if w.interrupted.IsZero() {
		w.interrupted = at
	}
	select {
	case <-w.cut:
	default:
		if at.Sub(w.interrupted) >= pressedAgain {
			close(w.cut)
		}
	}
}

func nameOf(s os.Signal) contract.Reason {
	switch s {
	case syscall.SIGTERM:
		return SIGTERM
	case os.Interrupt:
		return SIGINT
	}
	return contract.Reason(s.String())
}

// forGood notes a reason that nobody takes back. The first one stays.
func (w *Watcher) forGood(reason contract.Reason) {
	w.change(func() { w.final = cmp.Or(w.final, reason) })
}

// change makes a step, and the channel what it must be after it.
func (w *Watcher) change(step func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.final != "" || w.granted != ""
	step()
	switch now := w.final != "" || w.granted != ""; {
	case now && !before:
		close(w.told)
	case !now && before:
		w.told = make(chan struct{})
	}
}

// longestReason is how much is read of the file, in bytes.
const longestReason = 256

// read is the reason in the drain file, empty where there is none. The file is opened by path each time, because the
// kubelet replaces it; one that cannot be read is no grant.
func read(path string) contract.Reason {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, longestReason))
	if err != nil || len(content) == 0 {
		return ""
	}
	return cmp.Or(contract.Reason(strings.TrimSpace(string(content))), Unnamed)
}
