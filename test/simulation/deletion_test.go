package simulation

import (
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/bubbletest"
)

// TestEachDeletionEnds has the workers of a fleet die with their tasks, which then do not return. The deletion of the
// QWorker waits for that, says for how long, and ends. The tasks stay in the broker.
func TestEachDeletionEnds(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	const minute, hour = 60, 3600
	for name, c := range map[string]struct {
		keeps, hangs, configGone bool
		// waits is for how many seconds it waits at least, and ends after how many it is over.
		waits, ends int
	}{
		"the broker refuses to return tasks":                  {keeps: true, waits: hour, ends: hour + 2*minute},
		"the broker does not answer":                          {hangs: true, waits: hour, ends: hour + 2*minute},
		"tasks are refused, and the ScalerConfig is gone too": {keeps: true, configGone: true, waits: minute, ends: 3 * minute},
		"the broker is gone with its ScalerConfig":            {hangs: true, configGone: true, waits: minute, ends: 3 * minute},
	} {
		t.Run(name, func(t *testing.T) {
			bubbletest.Run(t, func(t *testing.T) {
				w := idleFleet(t, 3)
				defer func() { w.operator.stop() }()
				w.push(3, hour)
				w.settle(minute/6, func() string { return "wait" })
				w.queues.keeps = c.keeps
				w.setOutage(false, c.hangs)
				w.loseAll()
				w.delete()
				if c.configGone {
					for _, config := range w.server.list(scalerConfigs) {
						if err := w.server.delete(scalerConfigs, config.GetName(), client.DeleteOptions{}); err != nil {
							t.Fatal(err)
						}
					}
				}
				gone := func() string {
					if len(w.server.list(qworkers)) > 0 {
						return "the QWorker is still there"
					}
					return ""
				}
				if w.settle(c.waits, gone) == "" {
					w.fail(t, "the QWorker did not wait for %d s", c.waits)
				}
				ready := meta.FindStatusCondition(w.qworker().Status.Conditions, v1alpha1.ConditionReady)
				if ready == nil || !strings.Contains(ready.Message, "waits for that until 2000-01-01T") {
					t.Errorf("it says %+v", ready)
				}
				if missing := w.settle(c.ends-c.waits, gone); missing != "" {
					w.fail(t, "%s after %d s", missing, c.ends)
				}
				if _, held := w.queues.depth(queue); len(held) != 3 {
					t.Errorf("tasks are held by %v, want three workers", held)
				}
			})
		})
	}
}
