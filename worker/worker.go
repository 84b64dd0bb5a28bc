package worker

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/quickube/qscaler/worker/internal/inject"
	"github.com/quickube/qscaler/worker/internal/redisstore"
	"github.com/quickube/qscaler/worker/internal/store"
)

// Worker takes tasks from a queue and has a handler do them.
type Worker struct {
	handler Handler
	options options
	// wrong is what Run has to say of them.
	wrong error
}

// New returns a worker. Run says what is wrong with the handler and the options.
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

// Run does tasks until the worker is to leave: the drain file is not empty, a SIGTERM or SIGINT came, or ctx is
// done. It takes no other task then, finishes those in hand, and returns nil: exit with 0. Nothing of this
// cancels the context of a task; a second signal does, and Run returns ErrKilled at once, without waiting for the
// tasks or the broker. Where Redis refuses to record what came of a task, for the user's rights or for the type of a key,
// Run returns nil a minute after the last task has ended, and the task is done again.
//
// The queue, the pod's name and the broker come from the environment that QScaler sets in every worker pod; see
// the package contract. Each process needs a pod's name of its own: the tasks in hand are listed under it, and a
// second Run for the same queue and name in one process is an error. An environment or an option that is wrong is an
// error at once; a broker that does not answer is waited for. One that has refused the password with each answer for a
// minute is an error, once no handler is at work any more: exit with another code than 0, and the restart of the
// container has the present password.
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
		return r.do(ctx, func() error {
			defer release() // not before: what a second signal leaves behind may still take a task
			return r.work(func() (store.Store, error) {
				client, err := connect(env.redis)
				if err != nil {
					return nil, err
				}
				return redisstore.New(client, env.queue, env.pod), nil
			})
		})
	}
	r := w.newRun(ctx, broker)
	return r.do(ctx, func() error {
		return r.work(func() (store.Store, error) { return broker.Store, nil })
	})
}

// run is one call of Run.
type run struct {
	handler Handler
	options options
	queue   string
	store   store.Store
	leave   *leave
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
	// tasks is the context of everything that goes on for as long as tasks do. Only a second signal ends it.
	tasks context.Context
	kill  context.CancelCauseFunc
	// killed is closed by a second signal, or by a test.
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
		leave: newLeave(broker.DrainFile, broker.Looks), hands: newHands(), pace: newPace(),
		slots:       make(chan struct{}, w.options.concurrency),
		begun:       make(chan *held),
		fetching:    make(chan struct{}, 1),
		settlements: make(chan settlement, 4*settleBatch), // so that a slow disk of the broker's holds up no hand
	}
	if r.withTimeout = broker.WithTimeout; r.withTimeout == nil {
		r.withTimeout = context.WithTimeoutCause
	}
	if r.now = broker.Now; r.now == nil {
		r.now = time.Now
	}
	r.killed = r.leave.killed
	if broker.Killed != nil {
		r.killed = broker.Killed
	}
	r.base = context.WithValue(context.WithoutCancel(ctx), drainingKey{}, r.leave)
	r.tasks, r.kill = context.WithCancelCause(r.base)
	return r
}

// do works until the worker has left or a second signal comes, and then waits for nothing: not for the broker, which
// may hold work up, and not for the tasks.
func (r *run) do(ctx context.Context, work func() error) error {
	defer r.kill(nil)
	watching, stop := context.WithCancel(context.Background())
	var beside sync.WaitGroup
	defer beside.Wait()
	defer stop()
	beside.Go(func() { r.leave.watch(watching, ctx) })
	r.leave.look() // one that has leave from the start takes nothing
	if ctx.Err() != nil {
		r.leave.forGood(contextDone)
	}

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
		if reason, leaving := r.leave.why(); leaving {
			r.options.log.Info("leaving, without ever having reached the broker", "queue", r.queue, "reason", reason)
			return nil
		}
		if over := locked.over(err, r.options.lockout); over != nil {
			return over
		}
		r.complain(err)
		select {
		case <-time.After(retryPause):
		case <-r.leave.signal():
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
	close(r.settlements) // no task goes any more
	<-settled
	return nil
}
