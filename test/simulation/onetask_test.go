package simulation

import (
	"flag"
	"fmt"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/bubbletest"
	"github.com/quickube/qscaler/internal/fleet"
)

var oneTaskWorlds = flag.Int("simulation.onetask", 10/share, "worlds that TestOneTaskPerPod lives through")

// TestOneTaskPerPod has 20 messages done by workers that take one each and exit with 0, as the Jobs of a ScaledJob do:
// at the pace of the kubelet, without a backoff, and with no worker more than there are messages. A new image is then
// published because a canary has done its task and left, and one that ends without doing anything never is.
func TestOneTaskPerPod(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	for i := range *oneTaskWorlds {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Logf("run it again with: -run TestOneTaskPerPod -simulation.seed %d -simulation.onetask 1", seed)
			bubbletest.Run(t, func(t *testing.T) { doOneEach(t, seed) })
		})
	}
}

func doOneEach(t *testing.T, seed uint64) {
	w := newWorld(seed)
	defer func() { w.operator.stop() }()
	w.signal, w.oneTask = false, true
	w.edit(func(q *v1alpha1.QWorker) { q.Spec = w.fleet().Spec })
	w.push(20, 2)
	w.finish(t, 110)
	if made := len(w.made); made > 20 {
		t.Errorf("%d workers were made for 20 messages", made)
	}

	w.deployAtWork("good:2")
	w.finish(t, 110)
	published := w.qworker().Status.CurrentPodSpecHash
	if of := w.revisionOf("good:2"); published != of {
		w.fail(t, "published is %s, and a canary of %s has done its task and left", published, of)
	}

	made := len(w.made)
	w.deployAtWork("ends:1")
	w.finish(t, 110)
	if now := w.qworker().Status.CurrentPodSpecHash; now != published {
		w.fail(t, "an image that does nothing is published: %s", now)
	}
	if n := len(w.made) - made; n > 20+6 {
		w.fail(t, "%d workers were made for 20 messages: a canary that ends at once is made again without pause", n)
	}
	if c := meta.FindStatusCondition(w.qworker().Status.Conditions, v1alpha1.ConditionProgressing); c == nil || c.Reason != "CanaryFailing" {
		w.fail(t, "Progressing is %+v, want CanaryFailing", c)
	}
}

// deployAtWork changes the image while workers are there: a fleet without workers takes any image at once.
func (w *world) deployAtWork(image string) {
	w.push(20, 2)
	for range 10 {
		w.second()
	}
	w.edit(func(q *v1alpha1.QWorker) { q.Spec.PodSpec.Containers[0].Image = image })
}

// finish waits for all messages to be done.
func (w *world) finish(t *testing.T, seconds int) {
	t.Helper()
	began := w.tick
	missing := w.settle(seconds, func() string {
		if w.watch.doneCount != w.pushed {
			return fmt.Sprintf("%d of %d are done; %s", w.watch.doneCount, w.pushed, readinessOf(w.qworker()))
		}
		return ""
	})
	if missing != "" {
		w.fail(t, "after %d seconds: %s", seconds, missing)
	}
	t.Logf("after %d seconds %d are done; %s", w.tick-began, w.watch.doneCount, readinessOf(w.qworker()))
}

func readinessOf(q *v1alpha1.QWorker) string {
	c := meta.FindStatusCondition(q.Status.Conditions, v1alpha1.ConditionReady)
	if c == nil {
		return "Ready is unknown"
	}
	return fmt.Sprintf("Ready is %s %s: %s; desired %d, there are %d", c.Status, c.Reason, c.Message, q.Status.DesiredReplicas, q.Status.Replicas)
}

// revisionOf is the hash of the revision that pods of an image were made of.
func (w *world) revisionOf(image string) string {
	for _, pod := range w.made {
		if pod.Spec.Containers[0].Image == image {
			return fleet.RevisionOf(pod)
		}
	}
	return ""
}
