package fleet

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

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
		write  *written
		cached []*corev1.Pod
		want   []string
	}
	cases := map[string][]step{
		"a created pod counts before the cache shows it": {
			{&written{pod: versioned("a", "1"), created: true}, nil, []string{"a@1"}},
			{nil, nil, []string{"a@1"}},
			{nil, []*corev1.Pod{versioned("a", "1")}, []string{"a@1"}},
			{nil, nil, nil},
		},
		"a patched pod is shown as patched until the cache has it": {
			{&written{pod: versioned("a", "10")}, []*corev1.Pod{versioned("a", "9")}, []string{"a@10"}},
			{nil, []*corev1.Pod{versioned("a", "11")}, []string{"a@11"}},
			{nil, []*corev1.Pod{versioned("a", "9")}, []string{"a@9"}},
		},
		"a created pod that is patched before the cache shows it is one pod": {
			{&written{pod: versioned("a", "1"), created: true}, nil, []string{"a@1"}},
			{&written{pod: versioned("a", "2")}, nil, []string{"a@2"}},
		},
		"a deleted pod is terminating until the cache shows that or its end": {
			{&written{pod: deleted, deleted: true}, []*corev1.Pod{versioned("a", "1")}, []string{"a@1 terminating"}},
			{nil, []*corev1.Pod{versioned("a", "2")}, []string{"a@2 terminating"}},
			{nil, nil, nil},
			{nil, []*corev1.Pod{versioned("a", "3")}, []string{"a@3"}},
		},
		"a patched pod that is gone is gone": {
			{&written{pod: versioned("a", "10")}, []*corev1.Pod{versioned("a", "9")}, []string{"a@10"}},
			{nil, nil, nil},
		},
		"another pod of the same name is another pod": {
			{&written{pod: versioned("a", "10")}, []*corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "a", UID: "other", ResourceVersion: "5"}}}, []string{"a@5"}},
		},
	}
	for name, steps := range cases {
		t.Run(name, func(t *testing.T) {
			o := newOverlay()
			for i, s := range steps {
				if s.write != nil {
					o.record("owner", *s.write)
				}
				if diff := cmp.Diff(s.want, seen(o.merge("owner", s.cached))); diff != "" {
					t.Errorf("step %d (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}

func TestOverlayAsksAboutWhatItCannotKnow(t *testing.T) {
	o := newOverlay()
	o.record("owner", written{pod: versioned("fresh", "1"), created: true, at: t0})
	o.record("owner", written{pod: versioned("unanswered", ""), created: true, uncertain: true, at: t0})
	names := func(now time.Time) map[string]bool {
		m := map[string]bool{}
		for _, w := range o.doubtful("owner", now) {
			m[w.pod.Name] = true
		}
		return m
	}
	if diff := cmp.Diff(map[string]bool{"unanswered": true}, names(t0)); diff != "" {
		t.Errorf("at once (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]bool{"unanswered": true, "fresh": true}, names(t0.Add(verifyAfter))); diff != "" {
		t.Errorf("after %s (-want +got):\n%s", verifyAfter, diff)
	}
}
