package collector

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

var things = schema.GroupVersionResource{Group: "test", Version: "v1", Resource: "things"}

// thing makes an object of the namespace n: its UID is its name.
func thing(name string, edit ...func(*object)) object {
	o := object{resource: things, namespace: "n", name: name, uid: types.UID(name)}
	for _, e := range edit {
		e(&o)
	}
	return o
}

func ownedBy(names ...string) func(*object) {
	return func(o *object) {
		for _, name := range names {
			o.owners = append(o.owners, metav1.OwnerReference{Name: name, UID: types.UID(name)})
		}
	}
}

func blocking(name string) func(*object) {
	return func(o *object) {
		block := true
		o.owners = append(o.owners, metav1.OwnerReference{Name: name, UID: types.UID(name), BlockOwnerDeletion: &block})
	}
}

func deleting(finalizers ...string) func(*object) {
	return func(o *object) { o.deleting, o.finalizers = true, finalizers }
}

func of(resource schema.GroupVersionResource) func(*object) {
	return func(o *object) { o.resource = resource }
}

func in(namespace string) func(*object) { return func(o *object) { o.namespace = namespace } }

const (
	foreground = metav1.FinalizerDeleteDependents
	orphan     = metav1.FinalizerOrphanDependents
)

func say(actions []action) []string {
	var said []string
	for _, a := range actions {
		switch {
		case a.remove != "":
			said = append(said, fmt.Sprintf("delete %s %s", a.object.name, a.remove))
		case a.finalizer != "":
			said = append(said, fmt.Sprintf("take %s off %s", a.finalizer, a.object.name))
		default:
			said = append(said, fmt.Sprintf("disown %s of %v", a.object.name, a.disown))
		}
	}
	return said
}

func TestPlan(t *testing.T) {
	t.Parallel()
	gone := func(names ...string) func(reference) presence {
		return func(r reference) presence {
			if slices.Contains(names, string(r.owner.UID)) {
				return absent
			}
			return unasked
		}
	}
	for name, test := range map[string]struct {
		objects []object
		known   func(reference) presence
		want    []string
		ask     int
	}{
		"an object without owners stays":   {objects: []object{thing("a")}},
		"an object whose owner stays":      {objects: []object{thing("a"), thing("b", ownedBy("a"))}},
		"an owner that is deleted for now": {objects: []object{thing("a", deleting("other")), thing("b", ownedBy("a"))}},
		"an owner that no watch shows is asked for": {
			objects: []object{thing("b", ownedBy("a"))}, ask: 1,
		},
		"an owner that exists where no watch looks": {
			objects: []object{thing("b", ownedBy("a"))}, known: func(reference) presence { return present },
		},
		"an owner that is gone takes the object with it": {
			objects: []object{thing("b", ownedBy("a"))}, known: gone("a"), want: []string{"delete b Background"},
		},
		"an object keeps what its own finalizers want": {
			objects: []object{thing("b", ownedBy("a"), func(o *object) { o.finalizers = []string{orphan} })}, known: gone("a"),
			want: []string{"delete b Orphan"},
		},
		"an object that goes already is left alone": {
			objects: []object{thing("b", ownedBy("a"), deleting("x"))}, known: gone("a"),
		},
		"one of two owners is gone": {
			objects: []object{thing("b", ownedBy("a", "c")), thing("c")}, known: gone("a"), want: []string{"disown b of [a]"},
		},
		"an owner of the same UID in another namespace is none": {
			objects: []object{thing("a", in("m")), thing("b", ownedBy("a"))}, ask: 1,
		},
		"an owner of no namespace": {
			objects: []object{thing("a", in("")), thing("b", ownedBy("a"))},
		},
		"an owner waits for dependents that block it": {
			objects: []object{thing("a", deleting(foreground)), thing("b", blocking("a"))}, want: []string{"delete b Background"},
		},
		"dependents of dependents go first": {
			objects: []object{thing("a", deleting(foreground)), thing("b", blocking("a")), thing("c", blocking("b"))},
			want:    []string{"delete b Foreground"},
		},
		"an owner waits for a dependent that is going": {
			objects: []object{thing("a", deleting(foreground)), thing("b", blocking("a"), deleting("x"))},
		},
		"an owner that waited for all goes": {
			objects: []object{thing("a", deleting(foreground, "x"))}, want: []string{"take " + foreground + " off a"},
		},
		"dependents that do not block are not waited for": {
			objects: []object{thing("a", deleting(foreground)), thing("b", ownedBy("a"))}, want: []string{"take " + foreground + " off a"},
		},
		"a dependent with another owner stays": {
			objects: []object{thing("a", deleting(foreground)), thing("b", blocking("a"), ownedBy("c")), thing("c")},
			want:    []string{"disown b of [a]"},
		},
		"orphans are disowned": {
			objects: []object{thing("a", deleting(orphan)), thing("b", ownedBy("a"))}, want: []string{"disown b of [a]"},
		},
		"an owner without orphans left goes": {
			objects: []object{thing("a", deleting(orphan))}, want: []string{"take " + orphan + " off a"},
		},
		"an object that is served twice counts once": {
			objects: []object{thing("b", ownedBy("a")), thing("b", ownedBy("a"))}, known: gone("a"), want: []string{"delete b Background"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			known := test.known
			if known == nil {
				known = gone()
			}
			actions, ask := plan(test.objects, known)
			if diff := cmp.Diff(test.want, say(actions)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if len(ask) != test.ask {
				t.Errorf("asked for %v", ask)
			}
		})
	}
}

func TestNamespacesAreEmptied(t *testing.T) {
	t.Parallel()
	ending := thing("n", in(""), of(namespaces), deleting())
	for name, test := range map[string]struct {
		objects []object
		want    string
	}{
		"one that stays":            {[]object{thing("n", in(""), of(namespaces)), thing("a")}, ""},
		"pods go first":             {[]object{ending, thing("a"), thing("p", of(pods))}, "n: delete p Background"},
		"pods are waited for":       {[]object{ending, thing("a"), thing("p", of(pods), deleting())}, "n:"},
		"then the rest":             {[]object{ending, thing("a"), thing("b", deleting("x")), thing("c", in("m"))}, "n: delete a Background"},
		"what holds on is not gone": {[]object{ending, thing("b", deleting("x"))}, "n:"},
		"nothing is left":           {[]object{ending, thing("c", in("m"))}, "n: empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, e := range empty(test.objects) {
				words := append([]string{e.name + ":"}, say(e.actions)...)
				if e.empty {
					words = append(words, "empty")
				}
				got = append(got, strings.Join(words, " "))
			}
			if diff := cmp.Diff(test.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestAPatchFitsOnlyWhatWasSeen(t *testing.T) {
	t.Parallel()
	o := thing("b", ownedBy("a", "c"), func(o *object) { o.resourceVersion, o.finalizers = "7", []string{"x", foreground} })
	for want, a := range map[string]action{
		`{"metadata":{"finalizers":["x"],"resourceVersion":"7","uid":"b"}}`:                                                   {object: o, finalizer: foreground},
		`{"metadata":{"ownerReferences":[{"apiVersion":"","kind":"","name":"c","uid":"c"}],"resourceVersion":"7","uid":"b"}}`: {object: o, disown: []types.UID{"a"}},
	} {
		got, err := patchOf(a)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}
