package qworker

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/recovery"
	"github.com/quickube/qscaler/internal/revision"
)

// Where nobody knows at which queue the pods of a revision work, no queue is guessed: what they hold is returned from
// nowhere, and that the queue of others shows them with no task does not make them idle. The depth is that of the newest
// revision's queue then.
func TestWhereThePodsOfAnUnknownRevisionWork(t *testing.T) {
	newest, former := madeOf("newest"), madeOf("former")
	guessed := unplaced(madeOf("published"))
	known := &revisions{all: []revision.Revision{former, newest}, remains: []revision.Revision{guessed}, newest: &newest, published: &guessed}
	at := places{types.NamespacedName{Namespace: "n", Name: "w"}, known}
	o := &observation{readings: readings{reading: backlog.Reading{Known: true, Depth: broker.Depth{Held: map[string]int64{"p": 0}}}}}

	place := func(queue, hash, key string) recovery.Place {
		return recovery.Place{Broker: connection.ID("n", connection.Spec{}), Queue: queue, Key: at.under(key), Revision: hash}
	}
	want := map[string]recovery.Place{
		"newest": place("queue-of-newest", "newest", ""), "former": place("queue-of-former", "former", "former"), "published": {}, "never known": {},
	}
	for hash, where := range want {
		if diff := cmp.Diff(where, at.where(hash)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", hash, diff)
		}
		o.elsewhere = map[string]backlog.Reading{"former": o.reading}
		if got := o.readingOf(at, hash).Known; got != (where != recovery.Place{}) {
			t.Errorf("%s: a reading tells of its workers: %t", hash, got)
		}
	}
	if main := at.serving(); main != &newest {
		t.Errorf("the depth is that of %+v", main)
	}
	var queues []string
	for _, p := range at.distinct() {
		queues = append(queues, p.Queue)
	}
	if diff := cmp.Diff([]string{"queue-of-newest", "queue-of-former"}, queues); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
}
