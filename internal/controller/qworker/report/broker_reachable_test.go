package report

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

func TestBrokerReachable(t *testing.T) {
	const kind = v1alpha1.ConditionBrokerReachable
	reached, away := isTrue(kind, ReasonReadSucceeded, "as an earlier leader has said"), isFalse(kind, "Timeout", "no answer")
	qw := &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "w"}}
	qw.Spec.ScaleConfig.ScalerConfigRef = "config"
	const none = `there is no ScalerConfig "config" in namespace n; create it, or correct spec.scaleConfig.scalerConfigRef`
	cases := map[string]struct {
		observed Observed
		unread   *Problem
		written  []metav1.Condition
		want     metav1.Condition
	}{
		"the queue was read":                     {Observed{Queue: Queue{Known: true}}, nil, nil, isTrue(kind, ReasonReadSucceeded, "the depth of the queue is current")},
		"it was not read yet":                    {Observed{}, nil, nil, Unknown(kind, ReasonNotReadYet, "QScaler has not read the queue yet")},
		"an earlier leader has read it":          {Observed{}, nil, []metav1.Condition{reached}, reached},
		"an earlier leader has not read it":      {Observed{}, nil, []metav1.Condition{away}, Unknown(kind, ReasonNotReadYet, "QScaler has not read the queue yet")},
		"the broker does not answer":             {Observed{Queue: Queue{Known: true, Problem: &Problem{"Timeout", "no answer"}}}, &Problem{"Loading", "x"}, nil, isFalse(kind, "Timeout", "no answer")},
		"that of the newest revision does not":   {Observed{Queue: Queue{Known: true}}, &Problem{"HostNotFound", "no such host"}, nil, isFalse(kind, "HostNotFound", "revision r2: no such host")},
		"there is no ScalerConfig":               {Observed{Stalled: NoScalerConfig(qw), Queue: Queue{Problem: &Problem{"Timeout", "x"}}}, nil, nil, isFalse(kind, ReasonScalerConfigNotFound, none)},
		"another mistake is none of the brokers": {Observed{Stalled: &Problem{ReasonInvalidPodSpec, "x"}, Queue: Queue{Known: true}}, nil, nil, isTrue(kind, ReasonReadSucceeded, "the depth of the queue is current")},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, brokerReachable(c.observed, Rollout{Newest: "r2", Unread: c.unread}, c.written)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
