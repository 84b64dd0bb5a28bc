package revision

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/connection"
)

// What a pod says of its revision is what the revision itself says, and no password.
func TestOfPod(t *testing.T) {
	r := revisionOf(func(c *Content) {
		c.PodSpec.Containers = []corev1.Container{{Name: "proxy"}, {Name: "worker", Image: "worker:1"}}
		c.PodSpec.NodeName = "node-1"
		c.PodMetadata.Annotations = map[string]string{defaultContainerAnnotation: "worker"}
		c.Queue, c.Group = "mail", "senders"
		c.Drain.Mode = v1alpha1.DrainSignal
		c.Connection = connection.Spec{Name: "b", Type: "redis", Host: "h", Port: 1, Password: connection.PasswordRef{Secret: connection.KeyRef{Name: "s", Key: "k"}}}
	})
	pod := r.NewPod("p", PodOptions{Owner: qworker("a")})
	got, ok := OfPod(pod)
	if !ok {
		t.Fatalf("the pod says nothing: %v", pod.Annotations)
	}
	want := Revision{Hash: r.Hash, Content: Content{
		PodSpec: corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{Name: "worker"}}},
		Queue:   "mail", Group: "senders", Connection: r.Connection, Drain: r.Drain,
	}}
	if diff := cmp.Diff(want.Content, got.Content); diff != "" {
		t.Errorf("the revision by its pod (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Content, r.Remains().Content); diff != "" {
		t.Errorf("what remains of the revision (-want +got):\n%s", diff)
	}
	if got.Hash != r.Hash || r.Remains().Hash != r.Hash {
		t.Errorf("the hashes are %s and %s, want %s", got.Hash, r.Remains().Hash, r.Hash)
	}
	if text := pod.Annotations[AnnotationRevision]; len(text) > 500 || strings.Contains(text, "worker:1") {
		t.Errorf("the annotation has %d bytes: %s", len(text), text)
	}
}

func TestPodsThatSayNothingOfTheirRevision(t *testing.T) {
	for name, change := range map[string]func(*corev1.Pod){
		"of an earlier version": func(p *corev1.Pod) { delete(p.Annotations, AnnotationRevision) },
		"no JSON":               func(p *corev1.Pod) { p.Annotations[AnnotationRevision] = "{" },
		"no queue":              func(p *corev1.Pod) { p.Annotations[AnnotationRevision] = "{}" },
		"no revision":           func(p *corev1.Pod) { p.Labels = nil },
	} {
		pod := revisionOf(nil).NewPod("p", PodOptions{Owner: qworker("a")})
		change(pod)
		if r, ok := OfPod(pod); ok {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
