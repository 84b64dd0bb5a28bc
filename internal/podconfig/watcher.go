package podconfig

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
)

const (
	// Interval is the time between two reads of an object, unless there are so many that it takes longer.
	Interval = time.Minute
	// apart is the least time between two reads: 20 a second. apartInNamespace is that of one namespace: 2 a second.
	apart            = 50 * time.Millisecond
	apartInNamespace = 500 * time.Millisecond
	// readTimeout bounds one read.
	readTimeout = 10 * time.Second
)

// Why an object could not be read. A Read returns no other error.
var (
	ErrNotFound    = errors.New("it does not exist")
	ErrForbidden   = errors.New("the operator may not read it")
	ErrNotLabelled = errors.New("it lacks the label without which the operator uses no Secret")
	ErrUnanswered  = errors.New("the API server did not answer")
)

// Read reads an object of a namespace. It returns the version and the fingerprint. Where the version is still the known one
// it returns that, and needs no fingerprint.
type Read func(ctx context.Context, namespace string, object Object, known string) (version, fingerprint string, err error)

// State is what is known of an object.
type State struct {
	// Read is true once it was tried to read the object.
	Read bool
	// Fingerprint is that of the last content that was read, "" for none.
	Fingerprint string
	// Err is why the last read failed, nil where it did not.
	Err error
}

// Options is what a Watcher works with.
type Options struct {
	Read  Read
	Clock clock.Clock
	// Interval is the time between two reads of an object; 0 is Interval.
	Interval time.Duration
	// Notify is called for each asker of an object of which another thing is known than before. It must not block.
	Notify func(types.NamespacedName)
}

// Watcher reads the objects that are asked for, one after another. Those of one namespace are read once for all who ask.
type Watcher struct {
	Options
	mu       sync.Mutex
	objects  map[name]*watched
	asked    map[types.NamespacedName][]Object
	schedule *schedule
	more     chan struct{}
}

// name is that of an object, with its namespace.
type name struct {
	namespace string
	Object
}

type watched struct {
	name
	askers  map[types.NamespacedName]bool
	state   State
	version string
	due     time.Time
	// place is where it is in the schedule.
	place int
}

// New returns a Watcher. It reads once it is started.
func New(o Options) *Watcher {
	if o.Interval == 0 {
		o.Interval = Interval
	}
	return &Watcher{
		Options: o, objects: map[name]*watched{}, asked: map[types.NamespacedName][]Object{},
		schedule: newSchedule(o.Interval), more: make(chan struct{}, 1),
	}
}

// Ask asks for objects of the asker's namespace, and no longer for those that it asked for before, and returns what is
// known of each. Nothing asks for none.
func (w *Watcher) Ask(asker types.NamespacedName, objects []Object) []State {
	w.mu.Lock()
	defer w.mu.Unlock()
	if before := w.asked[asker]; !slices.Equal(before, objects) {
		w.replace(asker, before, objects)
	}
	states := make([]State, len(objects))
	for i, object := range objects {
		states[i] = w.objects[name{asker.Namespace, object}].state
	}
	return states
}

// Forget ends what somebody has asked for.
func (w *Watcher) Forget(asker types.NamespacedName) { w.Ask(asker, nil) }

func (w *Watcher) replace(asker types.NamespacedName, before, objects []Object) {
	for _, object := range before {
		is := w.objects[name{asker.Namespace, object}]
		if delete(is.askers, asker); len(is.askers) == 0 && !slices.Contains(objects, object) {
			delete(w.objects, is.name)
			w.schedule.remove(is)
		}
	}
	delete(w.asked, asker)
	if len(objects) == 0 {
		return
	}
	w.asked[asker] = slices.Clone(objects)
	for _, object := range objects {
		at := name{asker.Namespace, object}
		if w.objects[at] == nil {
			w.objects[at] = &watched{name: at, askers: map[types.NamespacedName]bool{}}
			w.schedule.add(w.objects[at])
		}
		w.objects[at].askers[asker] = true
	}
	select {
	case w.more <- struct{}{}:
	default:
	}
}

// Start reads until ctx is done.
func (w *Watcher) Start(ctx context.Context) error {
	for {
		now := w.Clock.Now()
		next, at := w.next(now)
		if next != nil && !at.After(now) {
			w.readOne(ctx, next)
			if !w.sleep(ctx, apart, nil) {
				return nil
			}
			continue
		}
		pause := w.Interval
		if !at.IsZero() {
			pause = at.Sub(now)
		}
		if !w.sleep(ctx, pause, w.more) {
			return nil
		}
	}
}

func (w *Watcher) sleep(ctx context.Context, pause time.Duration, wake <-chan struct{}) (goOn bool) {
	timer := w.Clock.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-timer.C():
	}
	return true
}

func (w *Watcher) next(now time.Time) (*watched, time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.schedule.next(now)
}

func (w *Watcher) readOne(ctx context.Context, object *watched) {
	w.mu.Lock()
	if object.place == nowhere { // nobody asks for it any more
		w.mu.Unlock()
		return
	}
	known := object.version
	w.schedule.begin(object, w.Clock.Now())
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	version, fingerprint, err := w.Read(ctx, object.namespace, object.Object, known)
	for _, asker := range w.note(object, known, version, fingerprint, err) {
		w.Notify(asker)
	}
}

// note takes in what a read has told, and returns those to whom that is news.
func (w *Watcher) note(object *watched, known, version, fingerprint string, err error) (news []types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.schedule.postpone(object, w.Clock.Now().Add(w.Interval))
	before := object.state
	object.state.Read, object.state.Err = true, err
	if err == nil && (known == "" || version != known) {
		object.state.Fingerprint, object.version = fingerprint, version
	}
	is := object.state
	if before.Read && before.Fingerprint == is.Fingerprint && errors.Is(before.Err, is.Err) {
		return nil
	}
	for asker := range object.askers {
		news = append(news, asker)
	}
	return news
}
