package worker

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/quickube/qscaler/worker/drain"
	"github.com/quickube/qscaler/worker/internal/inject"
	"github.com/quickube/qscaler/worker/internal/redisstore"
	"github.com/quickube/qscaler/worker/internal/store"
)

// Worker takes tasks from a queue and calls a handler for each.
type Worker struct {
	handler Handler
	options options
	// wrong is the error of the handler or the options, which Run returns.
	wrong error
}

// New returns a worker. Run returns an error if the handler or an option is wrong.
func New(handler Handler, opts ...Option) *Worker {
	w := &Worker{options: defaults()}
	for _, option := range opts {
		if option == nil {
			option = func(o *options) { o.wrong = errors.New("an option is nil") }
		}
		option(&w.options)
	}
	if w.wrong = w.options.check(); handler == nil {
		w.wrong = errors.New("the worker has no handler")
	}
	if w.wrong != nil {
		return w
	}
	w.handler = Recover(handler) // so that middleware sees a panic as an error
	for _, middleware := range slices.Backward(w.options.middleware) {
		if w.handler = middleware(w.handler); w.handler == nil {
			w.wrong = errors.New("WithMiddleware: one has returned no handler")
			return w
		}
	}
	w.handler = Recover(w.handler) // and theirs ends the task alone, too
	return w
}

// Run runs a worker with the given handler; see Worker.Run.
func Run(ctx context.Context, handler Handler, opts ...Option) error {
	return New(handler, opts...).Run(ctx)
}

// Run does tasks until the worker is to leave: the drain file is not empty, a SIGTERM or SIGINT came, or ctx is done.
// Then it takes no other task, finishes those in hand, and returns nil: exit with 0. None of this cancels the context
// of a task. A second SIGINT does, as when Ctrl-C is pressed twice: Run then returns ErrKilled at once, without waiting
// for the tasks or the broker.
//
// Redis may refuse to record what came of a task, for the user's rights or for the type of a key. Then Run returns
// nil a minute after the last task has ended, and the task is done again.
//
// The queue, the pod's name and the broker come from the environment that QScaler sets in every worker pod; see the
// package contract. Each process needs a pod name of its own: its tasks are listed under that name. A second Run for
// the same queue and name in one process is an error.
//
// A wrong environment or option is an error at once. While the broker does not answer, Run waits. When the broker has
// refused the password with each answer for a minute, Run returns that error once no handler is at work. Then exit
// with a code other than 0: the restarted container has the present password.
func (w *Worker) Run(ctx context.Context) error {
	if w.wrong != nil {
		return w.wrong
	}
	broker, injected := inject.From(ctx)
	if !injected {
		env, err := readEnvironment(os.Getenv)
		if err != nil {
			return err
		}
		release, err := claim(share{env.redis.InitAddress[0], env.redis.SelectDB, env.queue, env.pod})
		if err != nil {
			return err
		}
		broker.Queue, broker.DrainFile = env.queue, env.drainFile
		r := w.newRun(ctx, broker)
		return r.do(func() error {
			defer release() // not before: what a second SIGINT interrupts may still take a task
			return r.work(func() (store.Store, error) {
				client, err := connect(env.redis, env.server)
				if err != nil {
					return nil, err
				}
				return redisstore.New(client, env.queue, env.pod), nil
			})
		})
	}
	r := w.newRun(ctx, broker)
	var beside sync.WaitGroup
	defer beside.Wait()
	looking, stop := context.WithCancel(context.Background())
	defer stop()
	beside.Go(func() { r.lookWhenAsked(looking, broker.Looks) })
	return r.do(func() error {
		return r.work(func() (store.Store, error) { return broker.Store, nil })
	})
}

// run is one call of Run.
type run struct {
	handler Handler
	options options
	queue   string
	store   store.Store
	leave   *drain.Watcher
	hands   *hands
	pace    *pace
	// slots has an entry for each attempt under way.
	slots chan struct{}
	// begun has the tasks for hands that are free; it is closed at the end.
	begun       chan *held
	settlements chan settlement
	// fetching has an entry while a part of a long task is on its way.
	fetching chan struct{}
	// base is what the contexts of tasks are made from; it is never cancelled.
	base context.Context
	// tasks is the context of everything that goes on for as long as tasks do. Only a second SIGINT ends it.
	tasks context.Context
	kill  context.CancelCauseFunc
	// killed is closed by a second SIGINT, or by a test.
	killed <-chan struct{}
	// now is time.Now, or a test's clock.
	now func() time.Time
	// withTimeout bounds an attempt.
	withTimeout func(context.Context, time.Duration, error) (context.Context, context.CancelFunc)

	intake
}

func (w *Worker) newRun(ctx context.Context, broker inject.Broker) *run {
	r := &run{
		handler: w.handler, options: w.options, queue: broker.Queue,
		leave: drain.Watch(ctx, drain.WithFile(broker.DrainFile)), hands: newHands(), pace: newPace(),
		slots:       make(chan struct{}, w.options.concurrency),
		begun:       make(chan *held),
		fetching:    make(chan struct{}, 1),
		settlements: make(chan settlement, 4*settleBatch), // so that a slow disk of the broker delays no hand
	}
	if r.withTimeout = broker.WithTimeout; r.withTimeout == nil {
		r.withTimeout = context.WithTimeoutCause
	}
	if r.now = broker.Now; r.now == nil {
		r.now = time.Now
	}
	r.killed = r.leave.Cut()
	if broker.Killed != nil {
		r.killed = broker.Killed
	}
	r.base = context.WithValue(context.WithoutCancel(ctx), drainingKey{}, r.leave)
	r.tasks, r.kill = context.WithCancelCause(r.base)
	return r
}

// do works until the worker has left or a second SIGINT comes. After a second SIGINT it waits neither for the broker
// nor for the tasks.
func (r *run) do(work func() error) error {
	defer r.kill(nil)
	defer r.leave.Stop()

	ended := make(chan error, 1)
	go func() { ended <- work() }()
	var err error
	select {
	case err = <-ended:
	case <-r.killed:
		err = ErrKilled
	}
	if err != nil {
		r.hands.end(err)
		r.kill(err)
	}
	return err
}

// work connects, and takes tasks until the worker is to leave.
func (r *run) work(connect func() (store.Store, error)) error {
	var locked lockout
	for r.store == nil {
		s, err := connect()
		if err == nil {
			r.store = s
			break
		}
		if reason, leaving := r.leave.Told(); leaving {
			r.options.log.Info("leaving, without ever having reached the broker", "queue", r.queue, "reason", reason)
			return nil
		}
		if over := locked.over(err, r.options.lockout); over != nil {
			return over
		}
		r.complain(err)
		select {
		case <-time.After(retryPause):
		case <-r.leave.Done():
		case <-r.killed:
			return ErrKilled
		}
	}
	defer r.store.Close()

	settled := make(chan struct{})
	go func() {
		defer close(settled)
		r.settle()
	}()
	err := r.takeTasks()
	close(r.begun)
	if err != nil {
		return err
	}
	close(r.settlements) // no task is under way
	<-settled
	return nil
}
