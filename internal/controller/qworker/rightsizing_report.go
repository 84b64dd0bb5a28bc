package qworker

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/rightsize"
)

// note is an event about a size, reported once the status is written.
type note struct {
	// pod is the related object: without one, client-go takes the second event of a reason for a repetition
	// of the first.
	pod, kind, reason, text string
}

func (s *scope) noteRecommendation(r v1alpha1.ContainerRecommendation) {
	n := note{kind: corev1.EventTypeNormal, reason: "Recommended", text: fmt.Sprintf("container %s: %s (%s)", r.Name, sizeText(r), r.Message)}
	if len(s.pods) > 0 {
		n.pod = s.pods[0].Name
	}
	s.sizes.notes = append(s.sizes.notes, n)
}

func (s *scope) noteKill(k rightsize.Kill, v rightsize.Verdict) {
	then := map[rightsize.Verdict]string{
		rightsize.Raised:    "its memory is raised",
		rightsize.Answered:  "its memory was raised already",
		rightsize.Capped:    "its memory was raised several times and is not raised further for now",
		rightsize.Outgrown:  "it had several times what the podSpec requests, and is not raised further",
		rightsize.AtMaximum: "it had all that rightSizing.maxAllowed allows",
		rightsize.AtLimit:   "it was at its limit, which rightSizing.controlledValues RequestsOnly leaves as it is",
	}[v]
	switch {
	case !s.sizes.policy.Controls(corev1.ResourceMemory):
		then = "rightSizing.controlledResources has no memory, so it stays as it is"
	case s.sizes.policy.Mode() == v1alpha1.RightSizingOff:
		then = "rightSizing.mode is Off: more is recommended at most, and nothing is changed"
	case s.sizes.policy.Mode() == v1alpha1.RightSizingInitial && v == rightsize.Raised:
		then = "new pods get more memory"
	}
	s.sizes.notes = append(s.sizes.notes, note{
		pod: k.Pod, kind: corev1.EventTypeWarning, reason: "OutOfMemoryKill",
		text: fmt.Sprintf("container %s of pod %s was killed out of memory; %s", k.Container, k.Pod, then),
	})
}

func (s *scope) noteResizes(pods []string) {
	if len(pods) == 0 {
		return
	}
	s.sizes.notes = append(s.sizes.notes, note{
		pod: pods[0], kind: corev1.EventTypeNormal, reason: "Resized",
		text: fmt.Sprintf("raised to what is recommended, without a restart (%s: %s)", howMany(len(pods), "pod", "pods"), andMore(pods)),
	})
}

// mostNotes bounds the events of one reconciliation: a thousand would be dropped, the condition names the rest.
const mostNotes = 10

func (s *scope) reportSizes() {
	for _, n := range s.sizes.notes[:min(len(s.sizes.notes), mostNotes)] {
		var related runtime.Object
		if n.pod != "" {
			related = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.qw.Namespace, Name: n.pod}}
		}
		s.recorder.Eventf(s.qw, related, n.kind, n.reason, "RightSize", "%s", shorten(n.text))
	}
}
