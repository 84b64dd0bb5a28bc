package qworker

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/controller/qworker/report"
)

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
