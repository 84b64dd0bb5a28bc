package scalerconfig

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/connection"
)

// A ScalerConfig says what workers hold of queues that no QWorker serves, once, and as long as that is so.
func TestQueuesThatNobodyServes(t *testing.T) {
	answers := []string{"Healthy=True:BrokerAnswers", "Pushes=True:Invalidations"}
	told := append(answers[:2:2], "UnknownHolders=True:QueuesNotServed")
	inBubble(t, func(d *desk) {
		d.reconcile(time.Second)
		id := connection.ID(name.Namespace, d.resolver.Normalise(d.live()))
		note := func(unserved backlog.Unserved) {
			d.backlog.NoteUnserved("another", backlog.Unserved{Known: true, Lists: 9, Queues: 9})
			d.backlog.NoteUnserved(id, unserved)
			d.reconcile(time.Second)
		}
		note(backlog.Unserved{Known: true})
		d.want(true, answers...)
		note(backlog.Unserved{Known: true, Lists: 3, Queues: 1})
		d.want(true, told...)
		if got := meta.FindStatusCondition(d.live().Status.Conditions, v1alpha1.ConditionUnknownHolders).Message; !strings.Contains(got, "in 3 lists of 1 queue that no QWorker") {
			d.Errorf("it says %q", got)
		}
		writes := d.writes
		note(backlog.Unserved{Known: true, Lists: 3, Queues: 1})
		note(backlog.Unserved{}) // nobody has looked, as after a start
		d.want(true, told...)
		if d.writes != writes {
			d.Errorf("%d writes of what was said", d.writes-writes)
		}
		note(backlog.Unserved{Known: true, Lists: 4, Queues: 2})
		note(backlog.Unserved{Known: true})
		d.want(true, answers...)
		var reasons []string
		for _, event := range d.events() {
			reasons = append(reasons, strings.Join(strings.Fields(event)[:2], " "))
		}
		if diff := cmp.Diff([]string{"Warning QueuesNotServed"}, reasons); diff != "" {
			d.Errorf("events (-want +got):\n%s", diff)
		}
	}, scalerConfig())
}

// It says where the tasks are by the layout of the ScalerConfig's queues.
func TestWhereTheTasksAreThatNobodyServes(t *testing.T) {
	for layout, want := range map[v1alpha1.RedisLayout]string{
		"": " in 1 list of 2 queues ", v1alpha1.RedisList: " in 1 list of 2 queues ",
		v1alpha1.RedisSortedSet: " in 1 sorted set of 2 queues ", v1alpha1.RedisStream: " as 1 consumer of 2 queues ",
	} {
		sc := scalerConfig()
		sc.Spec.Config.Redis = &v1alpha1.RedisConfig{Layout: layout}
		if got := unknownHoldersOf(sc, backlog.Unserved{Known: true, Lists: 1, Queues: 2}).Message; !strings.Contains(got, want) {
			t.Errorf("%q says %q, want %q in it", layout, got, want)
		}
	}
	if got := unknownHoldersOf(scalerConfig(), backlog.Unserved{Known: true, Lists: 2, Queues: 1}).Message; !strings.Contains(got, " in 2 lists of 1 queue ") {
		t.Errorf("without settings it says %q", got)
	}
}

// Whoever has nothing returned is not told what nobody returns.
func TestQueuesThatNobodyServesWhereNothingIsReturned(t *testing.T) {
	sc := scalerConfig()
	no := false
	sc.Spec.Config.Reclaim = &no
	inBubble(t, func(d *desk) {
		d.reconcile(time.Second)
		d.backlog.NoteUnserved(connection.ID(name.Namespace, d.resolver.Normalise(d.live())), backlog.Unserved{Known: true, Lists: 3, Queues: 1})
		d.reconcile(time.Second)
		d.want(true, "Healthy=True:BrokerAnswers", "Pushes=True:Invalidations")
	}, sc)
}
