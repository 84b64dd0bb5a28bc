package scalerconfig

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/broker"
)

func (d driver) Inspect(context.Context) ([]broker.Risk, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.risks, d.uninspected
}

// What of a broker's settings endangers tasks is said, with one event, until it is mended. A broker that does not answer
// has mended nothing.
func TestABrokerThatEndangersTasks(t *testing.T) {
	answers := []string{"Healthy=True:BrokerAnswers", "Pushes=True:Invalidations"}
	inBubble(t, func(d *desk) {
		d.risks = []broker.Risk{{Reason: broker.ReasonMayEvict, Message: "it forgets"}, {Reason: broker.ReasonNotPersistent, Message: "it keeps nothing"}}
		d.reconcile(time.Second)
		d.want(true, append(answers, "Suitable=False:MayEvict")...)
		if got := meta.FindStatusCondition(d.live().Status.Conditions, v1alpha1.ConditionSuitable).Message; got != "it forgets. Also, it keeps nothing" {
			d.Errorf("it says %q", got)
		}
		d.set(func() { d.uninspected = broker.Fail(broker.ReasonTimeout, "at", "no answer", nil) })
		d.reconcile(time.Hour)
		d.want(true, append(answers, "Suitable=False:MayEvict")...)
		d.set(func() { d.risks, d.uninspected = nil, nil })
		d.reconcile(6 * time.Minute)
		d.want(true, answers...)
		if diff := cmp.Diff([]string{"Warning MayEvict it forgets. Also, it keeps nothing"}, d.events()); diff != "" {
			d.Errorf("events (-want +got):\n%s", diff)
		}
	}, scalerConfig())
}
