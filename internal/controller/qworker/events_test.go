package qworker

import (
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/controller/qworker/report"
	"github.com/quickube/qscaler/internal/logs"
	"github.com/quickube/qscaler/internal/scaling"
)

// The log has one line for each event, with its inputs beside it, and says nothing twice.
func TestTheLineOfAnEvent(t *testing.T) {
	size := scaling.Decide(scaling.Input{
		Scale: scaleOf(v1alpha1.ScaleConfig{MaxReplicas: 4}),
		Queue: scaling.Queue{Waiting: scaling.Counted(12), InFlight: scaling.Counted(0)},
	})
	cases := map[string]struct {
		event report.Event
		want  string
	}{
		"workers are created": {
			report.Event{Type: corev1.EventTypeNormal, Reason: "Create", Note: "the queue asks for 2 workers (2 pods: a, b)", Why: "the queue asks for 2 workers", Pods: []string{"a", "b"}},
			`level=INFO msg=Create note="the queue asks for 2 workers" pods="[a b]" desired=4 waiting=12 inFlight=0 leaving=0 workersPerMessage=1`,
		},
		"a condition turns bad": {
			report.Event{Type: corev1.EventTypeWarning, Reason: "Timeout", Note: "no answer in time", Condition: "BrokerReachable"},
			`level=WARN msg=Timeout condition=BrokerReachable note="no answer in time"`,
		},
		"and is well again": {
			report.Event{Type: corev1.EventTypeNormal, Reason: "ReadSucceeded", Note: "the depth is current", Condition: "BrokerReachable"},
			`level=INFO msg=ReadSucceeded condition=BrokerReachable note="the depth is current"`,
		},
		"tasks are returned": {
			report.Event{Type: corev1.EventTypeWarning, Reason: "TasksReturned", Note: "1 task"},
			`level=WARN msg=TasksReturned note="1 task"`,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			ctx := ctrl.LoggerInto(t.Context(), logs.New(&out, logs.Options{Level: slog.LevelInfo}))
			recorder := events.NewFakeRecorder(1)
			tell(ctx, recorder, &v1alpha1.QWorker{}, c.event, inputsOf(size))
			got := regexp.MustCompile(`^time=\S+ `).ReplaceAllString(strings.TrimSuffix(out.String(), "\n"), "")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if len(recorder.Events) != 1 {
				t.Errorf("%d events, want 1", len(recorder.Events))
			}
		})
	}
}

// Of what a round failed for the status tells, once it is written. The log is not to repeat that at each try.
func TestWhatIsLoggedOfAFailure(t *testing.T) {
	refused, away := errors.New("refused"), errors.New("away")
	cases := map[string]struct {
		failure, unwritten error
		deleting           bool
		logged             bool
	}{
		"the status tells of it":      {refused, nil, false, false},
		"the status is not written":   {refused, away, false, true},
		"nothing else has failed":     {nil, away, false, true},
		"the status tells of the end": {refused, nil, true, true},
		"nothing has failed":          {nil, nil, false, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := toldOf(c.failure, c.unwritten, c.deleting)
			for _, want := range []error{c.failure, c.unwritten} {
				if want != nil && !errors.Is(err, want) {
					t.Errorf("the error is %v, without %v", err, want)
				}
			}
			var out strings.Builder
			if err != nil {
				logs.New(&out, logs.Options{}).Error(err, "Reconciler error")
			}
			if got := out.String(); c.logged != (got != "") {
				t.Errorf("the log has %q", got)
			}
		})
	}
}
