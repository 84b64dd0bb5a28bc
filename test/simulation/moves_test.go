package simulation

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/bubbletest"
)

var movingWorlds = flag.Int("simulation.moving", 12/share, "worlds of 500 seconds that TestEveryMessageIsDoneWhereverItWaits lives through")

// site is a queue of a broker, as a QWorker names them.
type site struct{ config, queue string }

// key is what the brokers know it by.
func (s site) key() string { return on(s.config, s.queue) }

// sites are those that a fleet moves between: two queues on each of two brokers. A ScalerConfig has its broker's name.
var sites = []site{{firstHost, queue}, {firstHost, "renamed"}, {"other", queue}, {"other", "renamed"}}

// TestEveryMessageIsDoneWhereverItWaits has a user move a fleet from queue to queue and from broker to broker, with other
// images and ranges, while messages arrive on either queue and accidents happen. No state may be left only by an event
// that the state itself rules out, as a queue that nobody serves cannot run dry. In the end the fleet is moved to each
// queue once more, whose messages are then done to the last, without a worker to begin with.
func TestEveryMessageIsDoneWhereverItWaits(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	for i := range *movingWorlds {
		seed := *firstSeed + uint64(i)
		passed := t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Logf("run it again with: -run TestEveryMessageIsDoneWhereverItWaits -simulation.seed %d -simulation.moving 1", seed)
			bubbletest.Run(t, func(t *testing.T) { moveAbout(t, seed) })
		})
		if !passed {
			return
		}
	}
}

// moveAbout lives through one world in which the fleet moves.
func moveAbout(t *testing.T, seed uint64) {
	w := newWorld(seed)
	defer func() { w.operator.stop() }()
	w.watch.moves = true
	w.must(w.server.create(&v1alpha1.ScalerConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: fleetName.Namespace, Name: "other"},
		Spec: v1alpha1.ScalerConfigSpec{Type: v1alpha1.BrokerRedis, Config: v1alpha1.BrokerConfig{
			Host: "other", Port: ptr.To(intstr.FromInt32(6379)),
		}},
	}))
	const seconds = 500
	for range seconds {
		w.accident()
		if w.oneIn(6) {
			w.pushTo(sites[w.IntN(len(sites))], w.IntN(3), 1+w.IntN(20))
		}
		if w.oneIn(50) {
			w.moveTo(sites[w.IntN(len(sites))])
		}
		w.second()
		if len(w.watch.violations) > 0 {
			w.fail(t, "%s", w.watch.violations)
		}
	}
	w.calm()
	const waitLimit = 1500 // back-offs reach ten minutes
	if missing := w.settle(waitLimit, func() string {
		if w.deleting() {
			return "the QWorker is being deleted"
		}
		return ""
	}); missing != "" {
		w.fail(t, "%s", missing)
	}
	w.edit(func(q *v1alpha1.QWorker) { q.Spec.ScaleConfig.MinReplicas = 0 })
	order := slices.Concat(sites, sites)
	w.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	for _, next := range order {
		w.pushTo(next, w.IntN(3), 1+w.IntN(20))
		w.moveTo(next)
		w.settle(w.IntN(30), func() string { return "wait" })
		w.pushTo(next, 1, 1+w.IntN(20))
		missing := w.settle(waitLimit, func() string {
			waiting, held := w.queues.depth(next.key())
			if waiting > 0 || len(held) > 0 {
				return fmt.Sprintf("on %s %d tasks wait, and %v are held", next.key(), waiting, held)
			}
			return ""
		})
		if missing != "" {
			w.fail(t, "not within %d seconds: %s", waitLimit, missing)
		}
		w.settle(w.IntN(120), func() string { return "wait" })
	}
	if missing := w.settle(waitLimit, w.undone); missing != "" {
		w.fail(t, "%s", missing)
	}
}

// undone says which tasks are not done.
func (w *world) undone() string {
	if ids := w.queues.all(); len(ids) > 0 || w.watch.doneCount != w.pushed {
		return fmt.Sprintf("%d of %d tasks are done; not these: %v", w.watch.doneCount, w.pushed, ids)
	}
	return ""
}

func (w *world) pushTo(s site, n, seconds int) {
	for range n {
		w.pushed++
		w.queues.push(s.key(), task{w.pushed, seconds})
	}
	w.note("push %d tasks of %ds to %s", n, seconds, s.key())
}

// moveTo has the fleet work elsewhere, mostly with another image too.
func (w *world) moveTo(s site) {
	w.edit(func(q *v1alpha1.QWorker) {
		q.Spec.ScaleConfig.ScalerConfigRef, q.Spec.ScaleConfig.Queue = s.config, s.queue
		if !w.isCalm && w.oneIn(2) {
			q.Spec.ScaleConfig.MinReplicas = 0
		}
		if !w.isCalm && w.oneIn(3) {
			w.images++
			q.Spec.PodSpec.Containers[0].Image = fmt.Sprintf("good:%d", w.images)
		}
	})
	w.note("the fleet moves to %s at %s", s.key(), time.Since(w.began))
}
