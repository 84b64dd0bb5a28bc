package turns

import "sigs.k8s.io/controller-runtime/pkg/reconcile"

// line has objects that wait. Namespaces take turns; within one, who came first is first.
type line struct {
	byNamespace map[string][]reconcile.Request
	// order has the namespaces in which somebody waits, the next one first.
	order []string
	n     int
}

func newLine() *line { return &line{byNamespace: map[string][]reconcile.Request{}} }

func (l *line) len() int { return l.n }

func (l *line) push(r reconcile.Request) {
	waiting := l.byNamespace[r.Namespace]
	if len(waiting) == 0 {
		l.order = append(l.order, r.Namespace)
	}
	l.byNamespace[r.Namespace] = append(waiting, r)
	l.n++
}

// pop takes the first of the next namespace that may have one more under way.
func (l *line) pop(may func(namespace string) bool) (r reconcile.Request, found bool) {
	for i, namespace := range l.order {
		if !may(namespace) {
			continue
		}
		waiting := l.byNamespace[namespace]
		r, waiting = waiting[0], waiting[1:]
		l.order = append(l.order[:i], l.order[i+1:]...)
		if len(waiting) == 0 {
			delete(l.byNamespace, namespace)
		} else {
			l.byNamespace[namespace] = waiting
			l.order = append(l.order, namespace)
		}
		l.n--
		return r, true
	}
	return reconcile.Request{}, false
}
