package scalerconfig

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
)

func (d driver) Claim(_ context.Context, c broker.Claim, take bool) (broker.Claimant, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	if d.claimed == "" && take {
		d.claimed = c.Process
	}
	return broker.Claimant{Process: d.claimed}, d.unclaimed
}

func (driver) Reclaim(context.Context, broker.Claim, string, string) (int64, error) { return 0, nil }
func (driver) Held(context.Context, string, []string) ([]int64, error)              { return nil, nil }
func (driver) Holders(context.Context) ([]broker.Holder, error)                     { return nil, nil }

// That another operator has the claim is said, once, and that it has not any more. That it changes hands is not worth a word.
func TestAnotherOperatorHasTheClaim(t *testing.T) {
	answers := []string{"Healthy=True:BrokerAnswers", "Pushes=True:Invalidations"}
	inBubble(t, func(d *desk) {
		d.claimed = "another"
		d.reconcile(30 * time.Second)
		d.want(true, answers...)
		writes := d.writes
		d.reconcile(time.Minute)
		d.want(true, append(answers, "Reclaims=False:OtherOperator")...)
		d.reconcile(time.Hour)
		if got := d.writes - writes; got != 1 {
			d.Errorf("%d writes, want one", got)
		}
		d.set(func() { d.claimed = "" })
		d.reconcile(11 * time.Minute)
		d.want(true, answers...)
		var reasons []string
		for _, event := range d.events() {
			reasons = append(reasons, strings.Join(strings.Fields(event)[:2], " "))
		}
		if diff := cmp.Diff([]string{"Warning OtherOperator", "Normal Claimed"}, reasons); diff != "" {
			d.Errorf("events (-want +got):\n%s", diff)
		}
	}, scalerConfig())
}

func TestTheRightToClaimIsMissing(t *testing.T) {
	inBubble(t, func(d *desk) {
		d.unclaimed = &broker.Error{Reason: broker.ReasonPermissionDenied, Message: "extend the ACL"}
		d.reconcile(time.Minute)
		d.want(true, "Healthy=True:BrokerAnswers", "Pushes=True:Invalidations", "Reclaims=False:PermissionDenied")
		d.set(func() { d.unclaimed = nil })
		d.reconcile(11 * time.Minute)
		d.want(true, "Healthy=True:BrokerAnswers", "Pushes=True:Invalidations")
		events := d.events()
		if last := events[len(events)-1]; !strings.Contains(last, "Normal Claimed this operator can return") || strings.Contains(last, "other operator") {
			d.Errorf("there was no other operator, and the event says: %s", last)
		}
	}, scalerConfig())
}

// Who does not want tasks returned is not told of whoever does.
func TestTheClaimOfWhoDeclines(t *testing.T) {
	sc := scalerConfig()
	no := false
	sc.Spec.Config.Reclaim = &no
	inBubble(t, func(d *desk) {
		d.claimed = "another"
		d.reconcile(time.Hour)
		d.want(true, "Healthy=True:BrokerAnswers", "Pushes=True:Invalidations")
		if d.asked != 0 {
			d.Errorf("asked %d times for the claim", d.asked)
		}
	}, sc)
}
