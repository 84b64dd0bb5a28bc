package qworker

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/revision"
)

// revisions are those of one QWorker.
type revisions struct {
	// all are the stored ones, oldest first.
	all []revision.Revision
	// remains has what is known of those that are not stored any more, of which there are pods or dead workers. A
	// foreground deletion takes the revisions first.
	remains []revision.Revision
	// newest is the revision that the spec describes; published is the one that the status names. Either is nil where
	// there is none.
	newest, published *revision.Revision
}

// of is the revision of a hash, nil where it is not known.
func (r *revisions) of(hash string) *revision.Revision {
	if stored := r.stored(hash); stored != nil {
		return stored
	}
	return find(r.remains, hash)
}

// stored is the revision of a hash with all that a pod is made of, nil where it is not stored.
func (r *revisions) stored(hash string) *revision.Revision { return find(r.all, hash) }

func find(all []revision.Revision, hash string) *revision.Revision {
	for i := range all {
		if all[i].Hash == hash {
			return &all[i]
		}
	}
	return nil
}

// remember adds what is known of revisions that are not stored any more, and returns what is to be known of all of them in
// the next round.
//
//   - Of the revisions that this process has seen stored, it keeps those that have pods. A revision that nobody needs was
//     removed by the operator itself.
//   - While the QWorker is deleted, it keeps them all, for the workers whose pods are gone.
//   - A process that has just begun asks the pods.
//   - More people may write to pods than may choose a Secret and a host. So a pod is believed only where its connection
//     is one of the present ScalerConfig or of a revision.
func (r *revisions) remember(
	known map[string]revision.Revision, pods []*corev1.Pod, deleting bool, present []connection.Spec,
) map[string]revision.Revision {
	next := make(map[string]revision.Revision, len(r.all))
	for i := range r.all {
		hash := r.all[i].Hash
		if before, ok := known[hash]; ok && isPlaced(&before) {
			next[hash] = before
			continue
		}
		next[hash] = r.all[i].Remains()
	}
	r.remains = nil
	add := func(of revision.Revision) {
		if _, ok := next[of.Hash]; !ok {
			next[of.Hash] = of
			r.remains = append(r.remains, of)
		}
	}
	if deleting {
		for _, hash := range slices.Sorted(maps.Keys(known)) {
			add(known[hash])
		}
	}
	trusted := slices.Clone(present)
	for _, of := range next {
		if isPlaced(&of) {
			trusted = append(trusted, of.Connection)
		}
	}
	for _, pod := range pods {
		hash := fleet.RevisionOf(pod)
		if _, ok := next[hash]; ok {
			continue
		}
		before, remembered := known[hash]
		if of, ok := revision.OfPod(pod); ok && !isPlaced(&before) && slices.Contains(trusted, of.Connection) {
			add(of)
		} else if remembered {
			add(before)
		}
	}
	return next
}

// protect makes up for a published revision of which nobody knows any more what it is, while pods of it are there: somebody
// has removed it, and its pods do not say it in a way that is believed. The newest one must not take their places unproven.
// They leave as its pods would. Where they work is not known: it may be another queue, or another broker.
func (r *revisions) protect(published string, pods []*corev1.Pod, known map[string]revision.Revision) {
	unknown := published != "" && r.newest != nil && published != r.newest.Hash && r.of(published) == nil
	if unknown && slices.ContainsFunc(pods, func(pod *corev1.Pod) bool { return fleet.RevisionOf(pod) == published }) {
		remains := r.newest.Remains()
		remains.Hash = published
		remains.Queue, remains.Group, remains.Connection = "", "", connection.Spec{}
		known[published] = remains
		r.remains = append(r.remains, remains)
	}
}

// isPlaced reports whether it is known where the pods of a revision, nil for none, work.
func isPlaced(r *revision.Revision) bool { return r != nil && r.Queue != "" }

// serving is the revision through whose queue and connection the depth is read: the published one. Where nobody knows any
// more what that is, it is the newest.
func (r *revisions) serving() *revision.Revision {
	switch {
	case isPlaced(r.published):
		return r.published
	case isPlaced(r.newest):
		return r.newest
	}
	return nil
}

// workerOf is the name of a pod's worker container, as its revision has it.
func (r *revisions) workerOf(pod *corev1.Pod) string {
	if made := r.of(fleet.RevisionOf(pod)); made != nil {
		return made.WorkerContainer()
	}
	if len(pod.Spec.Containers) == 1 {
		return pod.Spec.Containers[0].Name
	}
	return "" // it may be any of them: what ends with 0 may be a helper
}

// isPinned reports whether the pod's spec says on which node it is to be. Another like it would be there as well.
func (r *revisions) isPinned(pod *corev1.Pod) bool {
	made := r.of(fleet.RevisionOf(pod))
	return made != nil && made.PodSpec.NodeName != ""
}
