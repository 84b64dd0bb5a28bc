package collector

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// action is one thing to do to one object. Exactly one of the fields below the object is set.
type action struct {
	object object
	// remove deletes the object.
	remove metav1.DeletionPropagation
	// finalizer is taken off.
	finalizer string
	// disown are the UIDs of owners whose references are taken off.
	disown []types.UID
}

// reference is an owner as a dependent names it.
type reference struct {
	owner     metav1.OwnerReference
	namespace string // the dependent's
}

// presence is what is known of an owner that no watch has shown.
type presence int

const (
	unasked presence = iota
	present
	absent
)

// graph is who depends on whom, as the watches have seen it.
type graph struct {
	objects    []object
	byUID      map[types.UID]*object
	dependents map[types.UID][]*object
}

func newGraph(objects []object) *graph {
	g := &graph{byUID: map[types.UID]*object{}, dependents: map[types.UID][]*object{}}
	for i := range objects {
		if _, seen := g.byUID[objects[i].uid]; !seen { // an object may be served under two groups
			g.byUID[objects[i].uid] = &objects[i]
		}
	}
	g.objects = objects
	for i := range objects {
		o := &objects[i]
		if g.byUID[o.uid] != o {
			continue
		}
		for _, ref := range o.owners {
			if owner := g.byUID[ref.UID]; owner != nil && owner.mayOwn(o) {
				g.dependents[ref.UID] = append(g.dependents[ref.UID], o)
			}
		}
	}
	return g
}

// plan decides what is to be done. Owners that no watch has shown are looked up in known; those that are to be asked
// for come back in ask, and nothing is done about their dependents meanwhile.
func plan(objects []object, known func(reference) presence) (actions []action, ask []reference) {
	g := newGraph(objects)
	for i := range objects {
		o := &objects[i]
		if g.byUID[o.uid] != o {
			continue
		}
		actions = append(actions, g.ends(o)...)
		if len(o.owners) == 0 || o.deleting {
			continue
		}
		do, unknown := g.outlives(o, known)
		actions = append(actions, do...)
		ask = append(ask, unknown...)
	}
	return actions, ask
}

// ends lets an object go that waits for what becomes of its dependents.
func (g *graph) ends(o *object) []action {
	var actions []action
	if o.leavesOrphans() {
		for _, dependent := range g.dependents[o.uid] {
			actions = append(actions, action{object: *dependent, disown: []types.UID{o.uid}})
		}
		if len(actions) == 0 {
			actions = append(actions, action{object: *o, finalizer: metav1.FinalizerOrphanDependents})
		}
	}
	if o.waitsForDependents() && !g.isBlocked(o) {
		actions = append(actions, action{object: *o, finalizer: metav1.FinalizerDeleteDependents})
	}
	return actions
}

// isBlocked reports whether a dependent holds up its owner's end.
func (g *graph) isBlocked(owner *object) bool {
	for _, dependent := range g.dependents[owner.uid] {
		for _, ref := range dependent.owners {
			if ref.UID == owner.uid && blocks(ref) {
				return true
			}
		}
	}
	return false
}

func blocks(ref metav1.OwnerReference) bool {
	return ref.BlockOwnerDeletion != nil && *ref.BlockOwnerDeletion
}

// outlives decides about an object with owners: it stays while one of them does.
func (g *graph) outlives(o *object, known func(reference) presence) (actions []action, ask []reference) {
	solid, waiting := false, false
	var gone []types.UID
	for _, ref := range o.owners {
		owner := g.byUID[ref.UID]
		switch {
		case owner != nil && owner.mayOwn(o) && owner.waitsForDependents() && blocks(ref):
			waiting = true
			gone = append(gone, ref.UID)
		case owner != nil && owner.mayOwn(o):
			solid = true
		default:
			r := reference{owner: ref, namespace: o.namespace}
			switch known(r) {
			case unasked:
				ask = append(ask, r)
			case present:
				solid = true
			case absent:
				gone = append(gone, ref.UID)
			}
		}
	}
	switch {
	case len(ask) > 0:
		return nil, ask
	case solid && len(gone) > 0:
		return []action{{object: *o, disown: gone}}, nil
	case solid:
		return nil, nil
	case waiting && len(g.dependents[o.uid]) > 0:
		return []action{{object: *o, remove: metav1.DeletePropagationForeground}}, nil
	}
	return []action{{object: *o, remove: o.policy()}}, nil
}
