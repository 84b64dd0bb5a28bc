package podconfig

import (
	"cmp"
	"time"
)

// schedule says which object is to be read next, and when. All who ask for objects wait meanwhile. So what it costs grows
// with the logarithm of the number of objects, whoever has them.
//
// Of the objects that may be read now, it is one of the namespace that was read longest ago, and of those the one that waits
// longest. Namespaces with many wait for themselves, and not the others for them.
type schedule struct {
	// interval is the time between two reads of an object.
	interval   time.Duration
	namespaces map[string]*namespace
	// ready has the namespaces that may be read, by when they last were, and later all others, by when they may.
	ready, later heapOf[*namespace]
}

// namespace has the objects of one, by when they are due.
type namespace struct {
	name    string
	objects heapOf[*watched]
	// last is when one of them was last read, zero where none was of late.
	last time.Time
	// place is where it is in the heap that it is in.
	place   int
	isReady bool
}

func newSchedule(interval time.Duration) *schedule {
	place := func(n *namespace) *int { return &n.place }
	s := &schedule{interval: interval, namespaces: map[string]*namespace{}}
	s.later = heapOf[*namespace]{place: place, before: func(a, b *namespace) bool { return s.from(a).Before(s.from(b)) }}
	s.ready = heapOf[*namespace]{place: place, before: func(a, b *namespace) bool {
		return cmp.Or(a.last.Compare(b.last), a.objects.first().due.Compare(b.objects.first().due)) < 0
	}}
	return s
}

func newNamespace(name string) *namespace {
	return &namespace{name: name, objects: heapOf[*watched]{
		place: func(o *watched) *int { return &o.place }, before: func(a, b *watched) bool { return a.due.Before(b.due) },
	}}
}

// from is when one of a namespace's objects may be read. Of one without objects it is when it may be forgotten that it was
// read: until then, objects that are asked for anew keep the pace.
func (s *schedule) from(n *namespace) time.Time {
	if n.objects.isEmpty() {
		return n.last.Add(max(s.interval, apartInNamespace))
	}
	from := n.objects.first().due
	if paced := n.last.Add(apartInNamespace); !n.last.IsZero() && paced.After(from) {
		return paced
	}
	return from
}

// add adds an object.
func (s *schedule) add(object *watched) {
	n := s.namespaces[object.namespace]
	if n == nil {
		n = newNamespace(object.namespace)
		s.namespaces[n.name] = n
		n.objects.add(object)
		s.later.add(n)
		return
	}
	s.change(n, func() { n.objects.add(object) })
}

// remove removes an object.
func (s *schedule) remove(object *watched) {
	n := s.namespaces[object.namespace]
	s.change(n, func() { n.objects.remove(object) })
}

// begin notes that an object is read now.
func (s *schedule) begin(object *watched, now time.Time) {
	n := s.namespaces[object.namespace]
	s.change(n, func() { n.last = now })
}

// postpone says when an object is due again. It may have been removed meanwhile.
func (s *schedule) postpone(object *watched, due time.Time) {
	if object.place == nowhere {
		return
	}
	n := s.namespaces[object.namespace]
	s.change(n, func() {
		object.due = due
		n.objects.moved(object)
	})
}

// change changes a namespace, and moves it to where it belongs then.
func (s *schedule) change(n *namespace, by func()) {
	if n.isReady {
		s.ready.remove(n)
	} else {
		s.later.remove(n)
	}
	by()
	n.isReady = false
	s.later.add(n)
}

// next is the object that is to be read next, and when; nil where there is none yet, and zero where there is nothing to do
// by time alone.
func (s *schedule) next(now time.Time) (*watched, time.Time) {
	for !s.later.isEmpty() && !s.from(s.later.first()).After(now) {
		n := s.later.first()
		s.later.remove(n)
		if n.objects.isEmpty() {
			delete(s.namespaces, n.name)
			continue
		}
		n.isReady = true
		s.ready.add(n)
	}
	switch {
	case !s.ready.isEmpty():
		return s.ready.first().objects.first(), now
	case s.later.isEmpty():
		return nil, time.Time{}
	}
	first := s.later.first()
	if first.objects.isEmpty() {
		return nil, s.from(first)
	}
	return first.objects.first(), s.from(first)
}
