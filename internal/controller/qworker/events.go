package qworker

import (
	"cmp"
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/controller/qworker/report"
	"github.com/quickube/qscaler/internal/logs"
	"github.com/quickube/qscaler/internal/scaling"
)

// tell records an event of a QWorker, and logs it with what it went by.
func tell(ctx context.Context, recorder events.EventRecorder, qw *v1alpha1.QWorker, e report.Event, inputs []any) {
	record(recorder, qw, e)
	logs.Event(ctrl.LoggerFrom(ctx), e.Type, e.Reason, lineOf(e, inputs)...)
}

// lineOf is what the log has of an event: the pods are in a field of their own, and so are the inputs of what was done.
func lineOf(e report.Event, inputs []any) []any {
	line := []any{"note", cmp.Or(e.Why, e.Note)}
	if e.Condition != "" {
		return append([]any{"condition", e.Condition}, line...)
	}
	if len(e.Pods) == 0 {
		return line
	}
	return slices.Concat(line, []any{"pods", e.Pods}, inputs)
}

// inputsOf are the figures that a number of workers went by.
func inputsOf(d scaling.Decision) []any {
	inputs := []any{"desired", d.Desired}
	for _, fact := range d.Note(scaling.Formula).Inputs {
		inputs = append(inputs, fact.Name, fact.Value)
	}
	return inputs
}

// record records an event of a QWorker. Client-go takes an event for a repetition, and counts it, where everything but the
// note is the same: the version of the QWorker too. What is told of a condition is about no version, so that a fault that
// comes and goes is one event with a count.
func record(recorder events.EventRecorder, qw *v1alpha1.QWorker, e report.Event) {
	var related runtime.Object
	if len(e.Pods) > 0 {
		related = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: qw.Namespace, Name: e.Pods[0]}}
	}
	var regarding runtime.Object = qw
	if e.Condition != "" {
		regarding = &corev1.ObjectReference{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: "QWorker", Namespace: qw.Namespace, Name: qw.Name, UID: qw.UID,
		}
	}
	recorder.Eventf(regarding, related, e.Type, e.Reason, e.Action, "%s", e.Note)
}
