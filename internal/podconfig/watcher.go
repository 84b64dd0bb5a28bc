package podconfig

import (
	"cmp"
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
	mu      sync.Mutex
	objects map[place]*watched
	asked   map[types.NamespacedName][]Object
	// read is when an object of a namespace was last read.
	read map[string]time.Time
	more chan struct{}
}

type place struct {
	namespace string
	Object
}

type watched struct {
	askers  map[types.NamespacedName]bool
	state   State
	version string
	due     time.Time
}

// New returns a Watcher. It reads once it is started.
func New(o Options) *Watcher {
	if o.Interval == 0 {
		o.Interval = Interval
	}
	return &Watcher{
		Options: o, objects: map[place]*watched{}, asked: map[types.NamespacedName][]Object{}, read: map[string]time.Time{},
		more: make(chan struct{}, 1),
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
		states[i] = w.objects[place{asker.Namespace, object}].state
	}
	return states
}

// Forget ends what somebody has asked for.
func (w *Watcher) Forget(asker types.NamespacedName) { w.Ask(asker, nil) }

func (w *Watcher) replace(asker types.NamespacedName, before, objects []Object) {
	for _, object := range before {
		at := place{asker.Namespace, object}
		if delete(w.objects[at].askers, asker); len(w.objects[at].askers) == 0 && !slices.Contains(objects, object) {
			delete(w.objects, at)
		}
	}
	delete(w.asked, asker)
	if len(objects) == 0 {
		return
	}
	w.asked[asker] = slices.Clone(objects)
	for _, object := range objects {
		at := place{asker.Namespace, object}
		if w.objects[at] == nil {
			w.objects[at] = &watched{askers: map[types.NamespacedName]bool{}}
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
		next, at, found := w.next(w.Clock.Now())
		if found && !at.After(w.Clock.Now()) {
			w.readOne(ctx, next)
			if !w.sleep(ctx, apart, nil) {
				return nil
			}
			continue
		}
		pause := w.Interval
		if found {
			pause = at.Sub(w.Clock.Now())
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

// next is the object that is to be read next, and when. Of those that may be read now, it is one of the namespace that was
// read longest ago, and of those the one that waits longest. Namespaces with many wait for themselves, and not the others
// for them.
func (w *Watcher) next(now time.Time) (next place, at time.Time, found bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for namespace, last := range w.read {
		if now.Sub(last) >= max(w.Interval, apartInNamespace) {
			delete(w.read, namespace)
		}
	}
	var due time.Time
	for p, object := range w.objects {
		from, last := object.due, w.read[p.namespace]
		if !last.IsZero() && last.Add(apartInNamespace).After(from) {
			from = last.Add(apartInNamespace)
		}
		if from.Before(now) {
			from = now
		}
		order := cmp.Or(from.Compare(at), last.Compare(w.read[next.namespace]), object.due.Compare(due))
		if !found || order < 0 {
			next, at, due, found = p, from, object.due, true
		}
	}
	return next, at, found
}

func (w *Watcher) readOne(ctx context.Context, p place) {
	w.mu.Lock()
	object := w.objects[p]
	known := ""
	if object != nil {
		known = object.version
	}
	w.read[p.namespace] = w.Clock.Now()
	w.mu.Unlock()
	if object == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	version, fingerprint, err := w.Read(ctx, p.namespace, p.Object, known)
	for _, asker := range w.note(object, known, version, fingerprint, err) {
		w.Notify(asker)
	}
}

// note takes in what a read has told, and returns those to whom that is news.
func (w *Watcher) note(object *watched, known, version, fingerprint string, err error) (news []types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	object.due = w.Clock.Now().Add(w.Interval)
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
