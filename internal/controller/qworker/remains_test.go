package qworker

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/ownwrites"
	"github.com/quickube/qscaler/internal/revision"
	"github.com/quickube/qscaler/worker/contract"
)

// madeOf is a revision with a helper before its worker, and a queue of its own.
func madeOf(hash string) revision.Revision {
	return revision.Revision{Hash: hash, Content: revision.Content{
		PodSpec:     corev1.PodSpec{Containers: []corev1.Container{{Name: "helper"}, {Name: "worker"}}},
		PodMetadata: v1alpha1.PodMetadata{Annotations: map[string]string{"kubectl.kubernetes.io/default-container": "worker"}},
		Queue:       "queue-of-" + hash,
	}}
}

func podOf(r revision.Revision) *corev1.Pod {
	return r.NewPod("pod-of-"+r.Hash, revision.PodOptions{Owner: &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Name: "a", UID: "u"}}})
}

// connected is a revision with a connection.
func connected(r revision.Revision, host string) revision.Revision {
	r.Connection.Host = host
	return r
}

// unplaced is a revision of which nobody knows where its pods work.
func unplaced(r revision.Revision) revision.Revision {
	r = r.Remains()
	r.Queue, r.Connection = "", connection.Spec{}
	return r
}

// A foreground deletion takes the revisions first. Which container is the worker's, and on which queue it works, is known all
// the same: by the pods, also to a process that has just started, and by memory where the pods are gone. A pod is believed
// only then, and only where the operator knows its connection from elsewhere.
func TestRevisionsThatAreNotStoredAnyMore(t *testing.T) {
	a, b := madeOf("a"), madeOf("b")
	both := map[string]revision.Revision{"a": a.Remains(), "b": b.Remains()}
	evil := connected(a, "evil")
	present := []connection.Spec{{}}
	for name, c := range map[string]struct {
		stored   []revision.Revision
		known    map[string]revision.Revision
		pods     []*corev1.Pod
		deleting bool
		// present has the connection of the ScalerConfig.
		present []connection.Spec
		// queues are of the revisions that are known then.
		queues map[string]string
		next   []string
	}{
		"all are stored": {
			[]revision.Revision{a, b}, nil, []*corev1.Pod{podOf(a)}, false, present,
			map[string]string{"a": "queue-of-a", "b": "queue-of-b"}, []string{"a", "b"},
		},
		"none is, and the process has just started": {
			nil, nil, []*corev1.Pod{podOf(a), podOf(b)}, true, present,
			map[string]string{"a": "queue-of-a", "b": "queue-of-b"}, []string{"a", "b"},
		},
		"none is, and the pods are gone": {nil, both, nil, true, nil, map[string]string{"a": "queue-of-a", "b": "queue-of-b"}, []string{"a", "b"}},
		"one is": {
			[]revision.Revision{b}, both, []*corev1.Pod{podOf(a)}, true, nil,
			map[string]string{"a": "queue-of-a", "b": "queue-of-b"}, []string{"a", "b"},
		},
		"the operator has removed one that nobody needs": {[]revision.Revision{b}, both, []*corev1.Pod{podOf(b)}, false, nil, map[string]string{"b": "queue-of-b"}, []string{"b"}},
		"somebody else has removed one that has a pod": {
			[]revision.Revision{b}, both, []*corev1.Pod{podOf(a)}, false, present,
			map[string]string{"a": "queue-of-a", "b": "queue-of-b"}, []string{"a", "b"},
		},
		"somebody else has removed one before the process has started": {
			[]revision.Revision{b}, nil, []*corev1.Pod{podOf(a)}, false, present,
			map[string]string{"a": "queue-of-a", "b": "queue-of-b"}, []string{"a", "b"},
		},
		"its place was not known, and now its pod says it": {
			[]revision.Revision{b}, map[string]revision.Revision{"a": unplaced(a)}, []*corev1.Pod{podOf(a)}, false, present,
			map[string]string{"a": "queue-of-a", "b": "queue-of-b"}, []string{"a", "b"},
		},
		"its place was not known, and now it is stored again": {
			[]revision.Revision{a}, map[string]revision.Revision{"a": unplaced(a)}, nil, false, present,
			map[string]string{"a": "queue-of-a"}, []string{"a"},
		},
		"its place is not known": {
			[]revision.Revision{b}, map[string]revision.Revision{"a": unplaced(a)}, []*corev1.Pod{podOf(evil)}, false, present,
			map[string]string{"a": "", "b": "queue-of-b"}, []string{"a", "b"},
		},
		"a pod names another host": {
			[]revision.Revision{b}, nil, []*corev1.Pod{podOf(evil)}, true, present,
			map[string]string{"b": "queue-of-b"}, []string{"b"},
		},
		"a pod names another host, and nothing else is known": {
			nil, nil, []*corev1.Pod{podOf(evil)}, true, nil,
			map[string]string{}, nil,
		},
		"a pod names another host than this process knows of its revision": {
			nil, both, []*corev1.Pod{podOf(evil)}, true, nil,
			map[string]string{"a": "queue-of-a", "b": "queue-of-b"}, []string{"a", "b"},
		},
		"a pod names the host of a revision that is stored": {
			[]revision.Revision{connected(b, "evil")}, nil, []*corev1.Pod{podOf(evil)}, true, nil,
			map[string]string{"a": "queue-of-a", "b": "queue-of-b"}, []string{"a", "b"},
		},
		"somebody else has removed the published one before the process has started": {
			[]revision.Revision{b}, nil, []*corev1.Pod{podOf(madeOf("published"))}, false, present,
			map[string]string{"b": "queue-of-b", "published": "queue-of-published"}, []string{"b", "published"},
		},
		"and a pod of it names another host": {
			[]revision.Revision{b}, nil, []*corev1.Pod{podOf(connected(madeOf("published"), "evil"))}, false, present,
			map[string]string{"b": "queue-of-b"}, []string{"b"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := &revisions{all: c.stored}
			next := r.remember(c.known, c.pods, c.deleting, c.present)
			queues := map[string]string{}
			for _, hash := range []string{"a", "b", "published"} {
				if made := r.of(hash); made != nil {
					queues[hash] = made.Queue
				}
			}
			if diff := cmp.Diff(c.queues, queues); diff != "" {
				t.Errorf("queues (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.next, slices.Sorted(maps.Keys(next))); diff != "" {
				t.Errorf("known in the next round (-want +got):\n%s", diff)
			}
			for _, pod := range c.pods {
				want := ""
				if slices.Contains(c.next, fleet.RevisionOf(pod)) {
					want = "worker"
				}
				if got := r.workerOf(pod); got != want {
					t.Errorf("the worker of %s is %q, want %q", pod.Name, got, want)
				}
				if made := r.of(fleet.RevisionOf(pod)); made != nil && len(c.stored) == 0 && made.Connection.Host != "" {
					t.Errorf("the host of %s is %q, want the one that was known before", pod.Name, made.Connection.Host)
				}
			}
		})
	}
}

// Of a pod of which nobody knows the revision, no container is taken for the worker that may be a helper.
func TestTheWorkerOfAnUnknownRevision(t *testing.T) {
	for want, containers := range map[string][]corev1.Container{
		"":     {{Name: "helper"}, {Name: "worker"}},
		"only": {{Name: "only"}},
	} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{contract.LabelPodSpecHash: "x"}}, Spec: corev1.PodSpec{Containers: containers}}
		if got := (&revisions{}).workerOf(pod); got != want {
			t.Errorf("the worker of %d containers is %q, want %q", len(containers), got, want)
		}
	}
}

// Of a published revision that somebody has removed, pods remain and no image: no pod can be made of what is known of it.
func TestNoPodIsMadeOfWhatRemainsOfARevision(t *testing.T) {
	for name, deleting := range map[string]bool{"while the fleet goes on": false, "while the QWorker is deleted": true} {
		t.Run(name, func(t *testing.T) {
			a := madeOf("a")
			qw := &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "w", UID: "uid"}}
			qw.Status.CurrentPodSpecHash = "a"
			if deleting {
				qw.DeletionTimestamp = &metav1.Time{Time: time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)}
			}
			r := newRound(&Reconciler{
				clock: clock.RealClock{}, qworkers: ownwrites.New[types.UID, *v1alpha1.QWorker](), resolver: connection.NewResolver(nil, nil, nil),
			}, qw, newMemory(qw.UID))
			r.seen.revisions.remains = []revision.Revision{a.Remains()}

			r.findRevisions(t.Context())

			if known := r.seen.revisions.published != nil; known != deleting {
				t.Errorf("the published revision is known: %t, want %t", known, deleting)
			}
			if known := r.seen.revisions.newest != nil; known != deleting {
				t.Errorf("the newest revision is known: %t, want %t", known, deleting)
			}
			if made := r.seen.revisions.of("a"); made == nil || made.WorkerContainer() != "worker" {
				t.Errorf("of its pods it is known: %+v", made)
			}
		})
	}
}
