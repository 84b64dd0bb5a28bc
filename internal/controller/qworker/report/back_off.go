package report

import (
	"fmt"
	"time"

	"github.com/quickube/qscaler/internal/planner"
)

// backOffMessage says how often workers have failed, when the next is created, and where to look.
func backOffMessage(b planner.BackOff, pods []Pod) string {
	last := ""
	for _, p := range pods {
		if p.Failure.Level == b.Level && p.Revision == b.Revision {
			last = because("; the last one was pod "+p.Name, p.Trouble) + "; see kubectl logs " + p.Name
		}
	}
	failed := fmt.Sprintf("a worker of revision %s failed once", b.Revision)
	if b.Level > 1 {
		failed = fmt.Sprintf("workers of revision %s failed %d times in a row", b.Revision, b.Level)
	}
	return fmt.Sprintf("%s; QScaler creates the next one at %s%s", failed, b.Until.UTC().Format(time.RFC3339), last)
}
