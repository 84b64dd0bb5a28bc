package logs

import (
	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// OfRequests makes the loggers of a controller: each line of a reconciliation names its object, once. What the controller
// tells of itself is for debugging.
func OfRequests(log logr.Logger, controller string) func(*reconcile.Request) logr.Logger {
	return func(request *reconcile.Request) logr.Logger {
		if request == nil {
			return Chatter(log).WithValues("controller", controller)
		}
		return log.WithValues(controller, request.String())
	}
}
