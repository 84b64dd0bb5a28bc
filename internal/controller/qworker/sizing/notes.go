package sizing

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/controller/words"
	"github.com/quickube/qscaler/internal/rightsize"
)

// Note is an event about a size.
type Note struct {
	// Pod is the related object: without one, client-go takes the second event of a reason for a repetition
	// of the first.
	Pod string
	// Type, Reason and Text are those of the event.
	Type, Reason, Text string
}

// mostNotes bounds the notes of one round: a thousand events would be dropped, the condition names the rest.
const mostNotes = 10

func (r *Round) note(n Note) {
	if len(r.Notes) < mostNotes {
		r.Notes = append(r.Notes, n)
	}
}

// recommendationNote is about all pods; the first of them is related to it, if there is one.
func recommendationNote(is v1alpha1.ContainerRecommendation, pods []*corev1.Pod) Note {
	n := Note{Type: corev1.EventTypeNormal, Reason: "Recommended", Text: fmt.Sprintf("container %s: %s (%s)", is.Name, sizeText(is), is.Message)}
	if len(pods) > 0 {
		n.Pod = pods[0].Name
	}
	return n
}

func sizeText(r v1alpha1.ContainerRecommendation) string {
	var parts []string
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		if q, ok := r.Requests[name]; ok {
			parts = append(parts, fmt.Sprintf("%s %s", name, q.String()))
		}
	}
	return strings.Join(parts, ", ")
}

// killNote tells what becomes of a kill. Nobody is told of a raise that does not come.
func killNote(k rightsize.Kill, result rightsize.KillResult, p rightsize.Policy) Note {
	then := map[rightsize.KillResult]string{
		rightsize.Raised:    "its memory is raised",
		rightsize.Answered:  "its memory was raised already",
		rightsize.Capped:    "its memory was raised several times and is not raised further for now",
		rightsize.Outgrown:  "it had several times what the podSpec requests, and is not raised further",
		rightsize.AtMaximum: "it had all that rightSizing.maxAllowed allows",
		rightsize.AtLimit:   "it was at its limit, which rightSizing.controlledValues RequestsOnly leaves as it is",
	}[result]
	switch {
	case !p.Controls(corev1.ResourceMemory):
		then = "rightSizing.controlledResources has no memory, so it stays as it is"
	case p.Mode() == v1alpha1.RightSizingOff:
		then = "rightSizing.mode is Off: more is recommended at most, and nothing is changed"
	case p.Mode() == v1alpha1.RightSizingInitial && result == rightsize.Raised:
		then = "new pods get more memory"
	}
	return Note{
		Pod: k.Pod, Type: corev1.EventTypeWarning, Reason: "OutOfMemoryKill",
		Text: fmt.Sprintf("container %s of pod %s was killed out of memory; %s", k.Container, k.Pod, then),
	}
}

// resizesNote is about pods that were raised, one at least.
func resizesNote(pods []string) Note {
	return Note{
		Pod: pods[0], Type: corev1.EventTypeNormal, Reason: "Resized",
		Text: fmt.Sprintf("raised to what is recommended, without a restart (%s: %s)", words.HowMany(len(pods), "pod", "pods"), words.AndMore(pods)),
	}
}

func unschedulableNote(pod, why string, until time.Time) Note {
	return Note{
		Pod: pod, Type: corev1.EventTypeWarning, Reason: reasonSizeUnschedulable,
		Text: fmt.Sprintf("no node has room for pod %s of the recommended size (%s); pods that wait are replaced, and new ones made as in the podSpec until %s",
			pod, why, until.UTC().Format(time.RFC3339)),
	}
}
