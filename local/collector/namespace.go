package collector

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	namespaces = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	pods       = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	events     = schema.GroupVersionResource{Version: "v1", Resource: "events"}
)

// emptying is what is to be done about one namespace that is being deleted.
type emptying struct {
	name    string
	actions []action
	// empty is true when no watch shows anything in it any more.
	empty bool
}

// empty decides about the namespaces that are being deleted. Pods end before what they may need: their secrets, and what
// guards them.
func empty(objects []object) []emptying {
	content := map[string][]object{}
	var ending []string
	for _, o := range objects {
		if o.resource == namespaces && o.deleting {
			ending = append(ending, o.name)
		}
		content[o.namespace] = append(content[o.namespace], o)
	}
	plans := make([]emptying, 0, len(ending))
	for _, name := range ending {
		first := podsOf(content[name])
		if len(first) == 0 {
			first = content[name]
		}
		e := emptying{name: name, empty: len(content[name]) == 0}
		for _, o := range first {
			if !o.deleting {
				e.actions = append(e.actions, action{object: o, remove: metav1.DeletePropagationBackground})
			}
		}
		plans = append(plans, e)
	}
	return plans
}

func podsOf(content []object) []object {
	var found []object
	for _, o := range content {
		if o.resource == pods {
			found = append(found, o)
		}
	}
	return found
}
