package scalerconfig

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/logs"
)

// What an event tells is in the log too: trouble as a warning, and that it is over as news.
func TestEventsAreLogged(t *testing.T) {
	for kind, want := range map[string]string{
		corev1.EventTypeWarning: `level=WARN msg=Timeout note="no answer in time"`,
		corev1.EventTypeNormal:  `level=INFO msg=Timeout note="no answer in time"`,
	} {
		var out strings.Builder
		r := Reconciler{recorder: events.NewFakeRecorder(1)}
		r.tell(ctrl.LoggerInto(t.Context(), logs.New(&out, logs.Options{})), &v1alpha1.ScalerConfig{}, kind, "Timeout", "Probe", "no answer in time")
		if got := strings.TrimSpace(out.String()); !strings.HasSuffix(got, want) || strings.Contains(got, "\n") {
			t.Errorf("the log has %q, want a line that ends with %q", got, want)
		}
	}
}
