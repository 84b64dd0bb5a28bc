package e2e

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// A ConfigMap changes while workers are busy. Each worker is replaced after its task, and the new ones have the new content.
func TestAChangeOfAConfigMapRollsTheFleet(t *testing.T) {
	t.Parallel()
	s := tell(t)
	f := makeFleet("config").replicas(2, 4)
	container := &f.Spec.PodSpec.Containers[0]
	container.EnvFrom = append(container.EnvFrom, corev1.EnvFromSource{
		ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}},
	})
	f.Spec.Rollout = &v1alpha1.RolloutSpec{OnConfigChange: v1alpha1.ConfigChangeRestart}
	settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings"}, Data: map[string]string{"LEVEL": "info"}}
	s.create(settings, s.scalerConfig(), f)
	s.awaitWorkers("config", 2)
	s.awaitCondition("config", v1alpha1.ConditionConfigRead, metav1.ConditionTrue, "AllRead")
	q, err := s.fleet("config")
	if err != nil {
		t.Fatal(err)
	}
	s.makeBusy("config", 4, 6*time.Second)

	settings.Data["LEVEL"] = "debug"
	s.must(s.Update(s.Context(), settings))
	s.awaitRevision("config", q.Status.CurrentPodSpecHash)
	s.awaitEvent("config", "ConfigChanged")
	s.awaitDone()
	s.awaitWorkers("config", 2)
	if b := s.sound(); len(b.Again) > 0 {
		t.Errorf("nobody was killed, and tasks were done twice: %s", b)
	}
}
