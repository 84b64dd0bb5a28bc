package qworker

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/recovery"
	"github.com/quickube/qscaler/internal/revision"
)

// A broker may know workers by their host names or addresses: it is asked with those that are a worker's own, of every
// worker that it may know.
func TestByWhatABrokerMayKnowTheWorkers(t *testing.T) {
	o := &observation{qw: &v1alpha1.QWorker{}}
	fixed := revision.Revision{Hash: "fixed", Content: revision.Content{Queue: "other", PodSpec: corev1.PodSpec{Hostname: "h"}}}
	o.revisions.all = []revision.Revision{{Hash: "r", Content: revision.Content{Queue: "q"}}, fixed}
	o.revisions.newest, o.revisions.published = &o.revisions.all[1], &o.revisions.all[0]
	pod := func(name, ip string, phase corev1.PodPhase) {
		o.pods = append(o.pods, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.PodStatus{PodIP: ip, Phase: phase}})
		o.states = append(o.states, planner.Pod{Name: name, Revision: "r"})
	}
	pod("runs", "10.0.0.1", corev1.PodRunning)
	pod("ended", "10.0.0.1", corev1.PodSucceeded)
	o.dead.Dead = []recovery.Dead{
		{Worker: "found", Revision: "r", State: recovery.Gone},
		{Worker: "gone", HostName: "gone", PodIP: "10.0.0.2", Revision: "r", State: recovery.Gone},
	}
	queues := o.queuesToWatch(map[string]string{"new": "r", "elsewhere": "fixed", "of no revision": "x"})
	at := o.places()
	want := map[backlog.Key][]broker.Worker{
		at.main(): {
			{PodName: "ended", HostName: "ended"},
			{PodName: "found"},
			{PodName: "gone", HostName: "gone", PodIP: "10.0.0.2"},
			{PodName: "new", HostName: "new"},
			{PodName: "of no revision"},
			{PodName: "runs", HostName: "runs", PodIP: "10.0.0.1"},
		},
		at.key("fixed"): {{PodName: "elsewhere"}},
	}
	got := map[backlog.Key][]broker.Worker{}
	for key, q := range queues {
		slices.SortFunc(q.workers, func(a, b broker.Worker) int { return strings.Compare(a.PodName, b.PodName) })
		got[key] = q.workers
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the workers of each queue (-want +got):\n%s", diff)
	}
}
