package operator

import (
	"io"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/quickube/qscaler/internal/logs"
)

// LogOptions is how lines are written.
type LogOptions = logs.Options

// LogTo makes the logger of the operator's process. The libraries log there too: their errors, and for debugging how they
// go on.
func LogTo(w io.Writer, o LogOptions) logr.Logger {
	log := logs.New(w, o)
	ctrl.SetLogger(logs.Chatter(log))
	klog.SetLogger(logs.Chatter(log))
	return log
}
