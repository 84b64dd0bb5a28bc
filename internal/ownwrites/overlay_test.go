package ownwrites

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

type podWrite = Write[*corev1.Pod]

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func versioned(name, version string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name), ResourceVersion: version}}
}

func seen(pods []*corev1.Pod) []string {
	var names []string
	for _, p := range pods {
		name := p.Name + "@" + p.ResourceVersion
		if p.DeletionTimestamp != nil {
			name += " terminating"
		}
		names = append(names, name)
	}
	return names
}

// TestOverlay states what was written and what the cache then shows, step by step.
func TestOverlay(t *testing.T) {
	deleted := versioned("a", "1")
	deleted.DeletionTimestamp = ptr.To(metav1.Now())
	type step struct {
		write  *podWrite
		cached []*corev1.Pod
		want   []string
	}
	cases := map[string][]step{
		"a created pod counts before the cache shows it": {
			{&podWrite{Object: versioned("a", "1"), Created: true}, nil, []string{"a@1"}},
			{nil, nil, []string{"a@1"}},
			{nil, []*corev1.Pod{versioned("a", "1")}, []string{"a@1"}},
			{nil, nil, nil},
		},
		"a patched pod is shown as patched until the cache has it": {
			{&podWrite{Object: versioned("a", "10")}, []*corev1.Pod{versioned("a", "9")}, []string{"a@10"}},
			{nil, []*corev1.Pod{versioned("a", "11")}, []string{"a@11"}},
			{nil, []*corev1.Pod{versioned("a", "9")}, []string{"a@9"}},
		},
		"a created pod that is patched before the cache shows it is one pod": {
			{&podWrite{Object: versioned("a", "1"), Created: true}, nil, []string{"a@1"}},
			{&podWrite{Object: versioned("a", "2")}, nil, []string{"a@2"}},
		},
		"a deleted pod is terminating until the cache shows that or its end": {
			{&podWrite{Object: deleted, Deleted: true}, []*corev1.Pod{versioned("a", "1")}, []string{"a@1 terminating"}},
			{nil, []*corev1.Pod{versioned("a", "2")}, []string{"a@2 terminating"}},
			{nil, nil, nil},
			{nil, []*corev1.Pod{versioned("a", "3")}, []string{"a@3"}},
		},
		"a patched pod that is gone is gone": {
			{&podWrite{Object: versioned("a", "10")}, []*corev1.Pod{versioned("a", "9")}, []string{"a@10"}},
			{nil, nil, nil},
		},
		"a pod that is patched twice is shown as last patched, and when it is gone it is gone": {
			{&podWrite{Object: versioned("a", "10")}, []*corev1.Pod{versioned("a", "9")}, []string{"a@10"}},
			{&podWrite{Object: versioned("a", "12")}, []*corev1.Pod{versioned("a", "9")}, []string{"a@12"}},
			{nil, nil, nil},
		},
		"a patched pod that is gone is gone, also where it is patched again": {
			{&podWrite{Object: versioned("a", "10")}, []*corev1.Pod{versioned("a", "9")}, []string{"a@10"}},
			{&podWrite{Object: versioned("a", "12")}, nil, nil},
		},
		"a created pod that the cache has shown before its patch is gone when the cache has it no more": {
			{&podWrite{Object: versioned("a", "1"), Created: true}, nil, []string{"a@1"}},
			{&podWrite{Object: versioned("a", "3")}, []*corev1.Pod{versioned("a", "1")}, []string{"a@3"}},
			{nil, nil, nil},
		},
		"a pod that nobody wrote is as the cache shows it": {
			{&podWrite{Object: versioned("b", "10")}, []*corev1.Pod{versioned("a", "3"), versioned("b", "9"), versioned("c", "4")}, []string{"a@3", "b@10", "c@4"}},
		},
		"another pod of the same name is another pod": {
			{&podWrite{Object: versioned("a", "10")}, []*corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "a", UID: "other", ResourceVersion: "5"}}}, []string{"a@5"}},
		},
	}
	for name, steps := range cases {
		t.Run(name, func(t *testing.T) {
			o := New[string, *corev1.Pod]()
			for i, s := range steps {
				if s.write != nil {
					o.Record("owner", *s.write)
				}
				if diff := cmp.Diff(s.want, seen(o.Merge("owner", s.cached))); diff != "" {
					t.Errorf("step %d (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}

// A pod that was deleted before the cache ever showed it does not count, whatever else was written to it.
func TestAPodThatWasCreatedAndDeletedIsNone(t *testing.T) {
	created, deleted, patched := podWrite{Object: versioned("a", "1"), Created: true}, podWrite{Object: versioned("a", "2"), Deleted: true}, podWrite{Object: versioned("a", "3")}
	for name, writes := range map[string][]podWrite{
		"created and deleted":              {created, deleted},
		"created, deleted and patched":     {created, deleted, patched},
		"created, patched and deleted":     {created, patched, deleted},
		"created, and deleted a 2nd time":  {created, deleted, deleted},
		"deleted, and of unknown creation": {deleted},
	} {
		o := New[string, *corev1.Pod]()
		for _, w := range writes {
			o.Record("owner", w)
		}
		if got := seen(o.Merge("owner", nil)); len(got) > 0 || o.Len() != 0 {
			t.Errorf("%s: there is %v, and %d owners have writes, want none", name, got, o.Len())
		}
	}
}

// A pod that was deleted does not hide another that was created under its name.
func TestAnotherPodOfTheSameNameIsNotDeleted(t *testing.T) {
	of := func(uid types.UID, version string) *corev1.Pod {
		pod := versioned("a", version)
		pod.UID = uid
		return pod
	}
	o := New[string, *corev1.Pod]()
	o.Record("owner", podWrite{Object: of("first", "1"), Created: true, At: t0})
	o.Record("owner", podWrite{Object: of("first", "2"), Deleted: true, At: t0})
	o.Record("owner", podWrite{Object: of("second", "5"), Created: true, At: t0})
	if diff := cmp.Diff([]string{"a@5"}, seen(o.Merge("owner", nil))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// A creation without an answer has no UID: it may be of the same pod.
	o.Record("other", podWrite{Object: of("", ""), Created: true, Uncertain: true, At: t0})
	o.Record("other", podWrite{Object: of("first", "2"), Deleted: true, At: t0})
	if diff := cmp.Diff([]string(nil), seen(o.Merge("other", nil))); diff != "" {
		t.Errorf("created without an answer, and deleted (-want +got):\n%s", diff)
	}
}

func TestOverlayAsksAboutWhatItCannotKnow(t *testing.T) {
	o := New[string, *corev1.Pod]()
	for _, name := range []string{"f", "c", "e", "a"} {
		o.Record("owner", podWrite{Object: versioned(name, "1"), Created: true, At: t0})
	}
	for _, name := range []string{"d", "b"} {
		o.Record("owner", podWrite{Object: versioned(name, ""), Created: true, Uncertain: true, At: t0})
	}
	o.Record("owner", podWrite{Object: versioned("patched", "1"), At: t0})
	for after, want := range map[time.Duration][]string{
		0:               {"b", "d"},
		VerifyAfter - 1: {"b", "d"},
		VerifyAfter:     {"a", "b", "c", "d", "e", "f"},
	} {
		var got []string
		for _, w := range o.Doubtful("owner", t0.Add(after)) {
			got = append(got, w.Object.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("in doubt after %s (-want +got):\n%s", after, diff)
		}
	}
}

func TestAWriteThatTheAPIServerDoesNotHaveIsDropped(t *testing.T) {
	o := New[string, *corev1.Pod]()
	o.Record("owner", podWrite{Object: versioned("a", "1"), Created: true, At: t0})
	o.Record("owner", podWrite{Object: versioned("b", "1"), Created: true, At: t0.Add(time.Second)})
	if got, want := o.NextDoubt("owner"), t0.Add(VerifyAfter); !got.Equal(want) {
		t.Errorf("the next doubt is at %s, want that of the oldest at %s", got, want)
	}
	o.Drop("owner", "a")
	if diff := cmp.Diff([]string{"b@1"}, seen(o.Merge("owner", nil))); diff != "" {
		t.Errorf("after the drop (-want +got):\n%s", diff)
	}
	if o.Drop("owner", "b"); o.Len() != 0 {
		t.Errorf("%d owners are remembered after the last drop, want none", o.Len())
	}
}

func TestOwnersAreApart(t *testing.T) {
	o := New[string, *corev1.Pod]()
	o.Record("one", podWrite{Object: versioned("a", "1"), Created: true, At: t0})
	o.Record("other", podWrite{Object: versioned("a", "2"), Created: true, At: t0})
	if o.Len() != 2 {
		t.Errorf("%d owners have writes, want 2", o.Len())
	}
	o.Forget("one")
	if diff := cmp.Diff([]string(nil), seen(o.Merge("one", nil))); diff != "" {
		t.Errorf("of the owner that is forgotten (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a@2"}, seen(o.Merge("other", nil))); diff != "" {
		t.Errorf("of the other (-want +got):\n%s", diff)
	}
	if !o.NextDoubt("one").IsZero() {
		t.Error("an owner without writes has a doubt")
	}
}

// A status that was just written is read back, though the cache shows the one before it.
func TestTheNewestOfOneObject(t *testing.T) {
	o := New[string, *corev1.Pod]()
	if got := o.Newest("owner", versioned("a", "1")); got.ResourceVersion != "1" {
		t.Errorf("without a write it is of version %s, want that of the cache", got.ResourceVersion)
	}
	wrote := versioned("a", "2")
	o.Record("owner", podWrite{Object: wrote, At: t0})
	got := o.Newest("owner", versioned("a", "1"))
	if got.ResourceVersion != "2" {
		t.Errorf("it is of version %s, want that of the write", got.ResourceVersion)
	}
	if got.Name = "changed"; wrote.Name != "a" {
		t.Error("the caller has changed what is remembered")
	}
	shown := versioned("a", "2")
	if got := o.Newest("owner", shown); got != shown || o.Len() != 0 {
		t.Errorf("once the cache is as new it is %p, %d remembered; want that of the cache, %p, none", got, o.Len(), shown)
	}
	o.Record("owner", podWrite{Object: wrote, At: t0})
	if got := o.Newest("owner", versioned("a", "3")); got.ResourceVersion != "3" || o.Len() != 0 {
		t.Errorf("once the cache is newer it is of version %s, %d remembered; want 3, none", got.ResourceVersion, o.Len())
	}
}
