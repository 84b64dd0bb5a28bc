package scalerconfig

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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

// The broker tells the operator nothing of the workers' own password.
func TestThePasswordOfWorkersEndsInANewline(t *testing.T) {
	sc := scalerConfig()
	sc.Spec.Config.Worker = &v1alpha1.WorkerLogin{Password: &v1alpha1.PasswordSource{Secret: &v1alpha1.SecretKeyReference{Name: "theirs", Key: "k"}}}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: "theirs"}, Data: map[string][]byte{"k": []byte("s3cret\n")}}
	inBubble(t, func(d *desk) {
		d.reconcile(time.Second)
		d.want(true, "Healthy=True:BrokerAnswers", "Pushes=True:Invalidations", "Suitable=False:PasswordEndsInNewline")
		if diff := cmp.Diff([]string{`Warning PasswordEndsInNewline config.worker.password.secret: key "k" of Secret ns/theirs ends in a newline, with which a broker mostly refuses the workers; make the Secret with kubectl create secret generic --from-literal, or encode the value with printf '%s' and not with echo`}, d.events()); diff != "" {
			d.Errorf("events (-want +got):\n%s", diff)
		}
		secret.Data["k"] = []byte("s3cret")
		if err := d.Update(d.Context(), secret); err != nil {
			d.Fatal(err)
		}
		d.reconcile(2 * time.Minute)
		d.reconcile(time.Second)
		d.want(true, "Healthy=True:BrokerAnswers", "Pushes=True:Invalidations")
	}, sc, secret)
}
