package qworker

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/recovery"
	"github.com/quickube/qscaler/internal/revision"
)

// places tells on which queue, of which broker, the pods of a revision work.
type places struct {
	qworker types.NamespacedName
	*revisions
}

// main is the key of the queue that the depth is read of: that of the published revision.
func (p places) main() backlog.Key { return p.under("") }

// key is that of the queue that pods of a revision work on. A revision with another queue or connection than the
// published one has a key of its own, under its hash.
func (p places) key(hash string) backlog.Key {
	if p.shares(hash) {
		return p.main()
	}
	return p.under(hash)
}

func (p places) under(hash string) backlog.Key {
	return backlog.Key{Watcher: backlog.QWorker, Namespace: p.qworker.Namespace, Name: p.qworker.Name, Revision: hash}
}

// place is a queue of a broker. It stays the same whichever revision is published.
type place struct{ broker, queue, group string }

// placeOf is where the pods of a revision work, the zero place of one that is not known.
func (p places) placeOf(hash string) place {
	r := p.at(hash)
	if r == nil {
		return place{}
	}
	return place{connection.ID(p.qworker.Namespace, r.Connection), r.Queue, r.Group}
}

// shares reports whether pods of the revision work on the queue that is read, or may: nobody knows where they do.
func (p places) shares(hash string) bool {
	main := p.serving()
	if main == nil || hash == main.Hash {
		return true
	}
	r := p.of(hash)
	return !isPlaced(r) || samePlace(r, main)
}

// know reports whether it is known where the pods of a revision work.
func (p places) know(hash string) bool { return p.at(hash) != nil }

// at is a revision by which it is known where the pods of a revision work, nil where it is not.
func (p places) at(hash string) *revision.Revision {
	if r := p.of(hash); isPlaced(r) {
		return r
	}
	if main := p.serving(); main != nil && hash == main.Hash { // it may be made up of the spec
		return main
	}
	return nil
}

func samePlace(a, b *revision.Revision) bool {
	return a.Queue == b.Queue && a.Group == b.Group && a.Connection == b.Connection
}

// distinct are the places of all revisions, each once: the present one first, and then the former ones, each as the
// newest revision that works there.
func (p places) distinct() []recovery.Place {
	main := p.serving()
	if main == nil {
		return nil
	}
	found := []*revision.Revision{main}
	former := make([]*revision.Revision, 0, len(p.all)+len(p.remains))
	for i := range slices.Backward(p.all) {
		former = append(former, &p.all[i])
	}
	for i := range p.remains {
		former = append(former, &p.remains[i])
	}
	for _, r := range former {
		if isPlaced(r) && !slices.ContainsFunc(found, func(o *revision.Revision) bool { return samePlace(o, r) }) {
			found = append(found, r)
		}
	}
	distinct := make([]recovery.Place, len(found))
	for i, r := range found {
		distinct[i] = p.placed(r)
	}
	return distinct
}

// where is where the workers of a revision work, the zero place where nobody knows: a place that is only guessed would have
// no tasks of theirs, and they would seem to be returned.
func (p places) where(hash string) recovery.Place {
	if r := p.at(hash); r != nil {
		return p.placed(r)
	}
	return recovery.Place{}
}

func (p places) placed(r *revision.Revision) recovery.Place {
	return recovery.Place{Broker: connection.ID(p.qworker.Namespace, r.Connection), Queue: broker.NameOf(r.Queue, r.Group), Key: p.key(r.Hash), Revision: r.Hash}
}
