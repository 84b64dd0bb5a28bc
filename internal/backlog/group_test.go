package backlog_test

import (
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

// Another consumer group is another queue: what was read of the first says nothing of it, and it is read at once.
func TestAnotherGroupIsAnotherQueue(t *testing.T) {
	inBubble(t, backlog.Options{SafetyInterval: time.Hour}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		x.push("q", 3)
		spec := watchOf("x", "q")
		spec.Query.Group = "one"
		b.Watch("a", spec)
		wait(time.Second)
		if r := b.Last("a"); !r.Known {
			t.Fatalf("it was not read: %+v", r)
		}
		var asked []broker.Query
		x.set(func() { x.before = func(queries []broker.Query) { asked = append(asked, queries...) } })
		spec.Query.Group = "other"
		b.Watch("a", spec)
		if r := b.Last("a"); r.Known {
			t.Errorf("the reading of the other group is %+v, want none yet", r)
		}
		wait(time.Second)
		if r := b.Last("a"); len(asked) != 1 || asked[0].Group != "other" || !r.Known {
			t.Errorf("asked for %+v, and the reading is %+v", asked, r)
		}
		b.Watch("a", spec)
		wait(time.Second)
		if len(asked) != 1 {
			t.Errorf("the same group was read again: %+v", asked)
		}
	})
}
