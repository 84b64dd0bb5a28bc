package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/controller/words"
	"github.com/quickube/qscaler/internal/planner"
)

// deletingMessage says what a QWorker that is being deleted waits for, and how not to wait. The status has the numbers
// of pods already.
func deletingMessage(st *v1alpha1.QWorkerStatus, o Observed, failure *Problem) string {
	r := o.Recovery
	var parts []string
	if failure != nil {
		parts = append(parts, failure.Message)
	}
	working := st.Replicas + st.TerminatingReplicas
	if working > 0 {
		parts = append(parts, words.HowMany(working, "worker is finishing its task", "workers are finishing their tasks"))
	}
	if r.Outstanding > 0 {
		parts = append(parts, because(fmt.Sprintf("the tasks of %s are not back in the queue yet", words.HowMany(r.Outstanding, "dead worker", "dead workers")), r.Holdup))
	}
	if r.Searching {
		parts = append(parts, because("QScaler still looks for the tasks of workers that died while no operator was running", r.SearchHoldup))
	}
	if (r.Outstanding > 0 || r.Searching) && !r.WaitsUntil.IsZero() {
		parts = append(parts, fmt.Sprintf("QScaler waits for that until %s at the latest, and then lets the QWorker go; what has not returned stays in the broker", r.WaitsUntil.UTC().Format(time.RFC3339)))
	}
	if unreachable := unreachablePods(o.Pods); len(unreachable) > 0 {
		parts = append(parts, fmt.Sprintf("%s on nodes that do not answer: %s. If you are sure that such a node is down, run kubectl delete pod NAME --force",
			words.HowMany(len(unreachable), "worker may still run", "workers may still run"), words.AndMore(unreachable)))
	}
	if len(parts) == 0 {
		return "the last worker has left"
	}
	remedy := "remove the finalizer " + v1alpha1.Finalizer
	if r.Outstanding > 0 || r.Searching {
		remedy += "; after that QScaler returns no more tasks of dead workers: unless the broker returns them by itself, you must do it by hand"
	}
	if working > 0 {
		remedy = "delete the pods, or " + remedy
	}
	return strings.Join(parts, "; ") + ". To delete the QWorker without waiting, " + remedy
}

// unreachablePods names the pods whose nodes do not answer, with the node: a deletion waits for the kubelet there.
func unreachablePods(pods []Pod) []string {
	var unreachable []string
	for _, p := range pods {
		if p.Unreachable && p.Phase != planner.Left {
			unreachable = append(unreachable, fmt.Sprintf("pod %s on node %s", p.Name, p.Node))
		}
	}
	return unreachable
}
