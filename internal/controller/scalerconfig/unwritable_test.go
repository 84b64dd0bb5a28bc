package scalerconfig

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/broker"
)

const unwelcome = "words that the API server does not take"

// refuseWords refuses a status with those words in it, by the error.
func refuseWords(refusal error) func(*v1alpha1.ScalerConfig) error {
	return func(sc *v1alpha1.ScalerConfig) error {
		for _, c := range sc.Status.Conditions {
			if strings.Contains(c.Message, unwelcome) {
				return refusal
			}
		}
		return nil
	}
}

// A status that the API server refuses for what stands in it is written without that: healthy was true, and would stay so.
func TestAStatusWhoseWordsAreRefused(t *testing.T) {
	for name, refusal := range map[string]error{
		"invalid":   apierrors.NewInvalid(v1alpha1.GroupVersion.WithKind("ScalerConfig").GroupKind(), "sc", nil),
		"bad":       apierrors.NewBadRequest("no \x1b[31mcolours"),
		"too large": apierrors.NewRequestEntityTooLargeError("limit is 3145728"),
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(d *desk) {
				d.reconcile(time.Second)
				d.want(true, "Healthy=True:BrokerAnswers", "Pushes=True:Invalidations")
				d.set(func() {
					d.down = &broker.Error{Reason: broker.ReasonUnknown, Message: unwelcome}
					d.refuse = refuseWords(refusal)
					d.writes = 0
				})
				d.reconcile(10 * time.Second)
				d.want(false, "Healthy=False:BrokerError", "Pushes=True:Invalidations", "Reconciling=True:BrokerError")
				c := meta.FindStatusCondition(d.live().Status.Conditions, v1alpha1.ConditionHealthy)
				if want := "the API server refuses the words of this condition: writing the status, "; !strings.HasPrefix(c.Message, want) || strings.Contains(c.Message, "\x1b") {
					t.Errorf("the message is %q, want one that begins with %q", c.Message, want)
				}
				d.set(func() { d.down = nil })
				d.reconcile(10 * time.Second)
				d.want(true, "Healthy=True:BrokerAnswers", "Pushes=True:Invalidations")
				var told []string
				for _, e := range d.events() {
					told = append(told, strings.Join(strings.Fields(e)[:2], " "))
				}
				if diff := cmp.Diff([]string{"Warning BrokerError", "Normal BrokerAnswers"}, told); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
			}, scalerConfig())
		})
	}
}

// Whatever else goes wrong is tried again, with the words.
func TestAStatusThatCannotBeWrittenIsTriedAgain(t *testing.T) {
	for when, refusal := range map[string]error{
		"the API server is away":  errors.New("away"),
		"it takes nothing at all": apierrors.NewBadRequest("no"),
	} {
		t.Run(when, func(t *testing.T) {
			inBubble(t, func(d *desk) {
				d.reconcile(time.Second)
				d.set(func() {
					d.down = &broker.Error{Reason: broker.ReasonUnknown, Message: unwelcome}
					d.refuse = func(*v1alpha1.ScalerConfig) error { return refusal }
				})
				<-time.After(10 * time.Second)
				if _, err := d.Reconcile(d.Context(), ctrl.Request{NamespacedName: name}); !errors.Is(err, refusal) {
					t.Errorf("Reconcile: %v, want %v", err, refusal)
				}
				d.set(func() { d.refuse = nil })
				d.reconcile(time.Second)
				d.want(false, "Healthy=False:BrokerError", "Pushes=True:Invalidations", "Reconciling=True:BrokerError")
			}, scalerConfig())
		})
	}
}

// The API server drops an event whose note is too long, and 300 characters may be so long.
func TestAnEventIsNotTooLong(t *testing.T) {
	said := &broker.Error{Reason: broker.ReasonUnknown, Message: "redis at h: " + strings.Repeat("𝕏", 300)}
	cases := map[string]struct {
		refuse func(*desk)
		begins string
	}{
		"the broker refuses everything": {func(d *desk) { d.down = said }, "redis at h: "},
		"it refuses the claim alone":    {func(d *desk) { d.unclaimed = said }, "making sure that no other operator returns the same tasks, redis at h: "},
	}
	for what, c := range cases {
		t.Run(what, func(t *testing.T) {
			inBubble(t, func(d *desk) {
				d.reconcile(time.Second)
				d.set(func() { c.refuse(d) })
				d.reconcile(time.Minute)
				want := []string{"Warning BrokerError " + c.begins + strings.Repeat("𝕏", (1024-len(c.begins)-len("..."))/4) + "..."}
				if diff := cmp.Diff(want, d.events()); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
			}, scalerConfig())
		})
	}
}
