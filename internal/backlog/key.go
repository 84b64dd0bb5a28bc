package backlog

import (
	"cmp"
	"strings"
)

// Watcher is a kind of object that watches queues.
type Watcher string

// The watchers.
const (
	QWorker      Watcher = "QWorker"
	ScalerConfig Watcher = "ScalerConfig"
)

// Key names a watch.
type Key struct {
	Watcher Watcher
	// Namespace and Name are the object's.
	Namespace, Name string
	// Revision tells the further watches of an object from its first, of which it is empty: those of revisions that
	// work on another queue.
	Revision string
}

// String is the key for a person.
func (k Key) String() string {
	text := string(k.Watcher) + " " + k.Namespace + "/" + k.Name
	if k.Revision != "" {
		text += ", revision " + k.Revision
	}
	return text
}

// compareKeys orders keys, so that watchers are always woken in the same order.
func compareKeys(a, b Key) int {
	return cmp.Or(
		strings.Compare(string(a.Watcher), string(b.Watcher)),
		strings.Compare(a.Namespace, b.Namespace),
		strings.Compare(a.Name, b.Name),
		strings.Compare(a.Revision, b.Revision),
	)
}
