package qworker

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/controller/qworker/report"
)

// record records an event of a QWorker.
func record(recorder events.EventRecorder, qw *v1alpha1.QWorker, e report.Event) {
	var related runtime.Object
	if len(e.Pods) > 0 {
		related = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: qw.Namespace, Name: e.Pods[0]}}
	}
	recorder.Eventf(qw, related, e.Type, e.Reason, e.Action, "%s", e.Note)
}
