// Package revision knows what shapes a worker pod: it tells when two QWorkers would make the same pods,
// keeps every version as a ControllerRevision, and makes a pod from one.
//
// It may import the API types and internal/connection. It never looks at running pods.
package revision

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/connection"
)

// Content is everything that shapes a worker pod.
type Content struct {
	PodSpec corev1.PodSpec `json:"podSpec"`
	// Newer are the fields of the pod spec that this program does not know.
	Newer       []v1alpha1.NewerField `json:"newer,omitempty"`
	PodMetadata v1alpha1.PodMetadata  `json:"podMetadata,omitzero"`
	Drain       v1alpha1.DrainSpec    `json:"drain,omitzero"`
	Queue       string                `json:"queue"`
	Group       string                `json:"group,omitempty"`
	Connection  connection.Spec       `json:"connection"`
}

// ContentOf is the content that a QWorker and the connection of its ScalerConfig describe.
func ContentOf(qw *v1alpha1.QWorker, conn connection.Spec) Content {
	spec := qw.Spec.DeepCopy()
	c := Content{PodSpec: spec.PodSpec, Newer: spec.Newer, Queue: spec.ScaleConfig.Queue, Group: spec.ScaleConfig.ConsumerGroup, Connection: conn}
	if spec.PodMetadata != nil {
		c.PodMetadata = *spec.PodMetadata
	}
	if spec.Drain != nil {
		c.Drain = *spec.Drain
	}
	c.Drain.MayEndUnseenTasks, c.Drain.EndsAfterTask = false, false // they are the operator's to know, and shape no pod
	if c.Drain.Mode == v1alpha1.DrainGrant {
		c.Drain.Mode = "" // as in revisions that were stored before there were modes
	}
	return c
}

// Equal reports whether both would make the same pods. It compares meaning, not bytes: "0.5" CPU is 500m,
// and a field that a later Kubernetes version adds changes nothing until it is used.
func (c Content) Equal(other Content) bool { return equality.Semantic.DeepEqual(c, other) }

// defaultContainerAnnotation is kubectl's: it names the container that a person means by the pod.
const defaultContainerAnnotation = "kubectl.kubernetes.io/default-container"

// WorkerContainer is the name of the container whose end is the worker's end: the one that the pod
// metadata's kubectl.kubernetes.io/default-container names, else the first. It is looked up here and not in
// the pod, because injectors may put other containers first.
func (c Content) WorkerContainer() string {
	named := c.PodMetadata.Annotations[defaultContainerAnnotation]
	for _, container := range c.PodSpec.Containers {
		if container.Name == named {
			return named
		}
	}
	if len(c.PodSpec.Containers) == 0 {
		return ""
	}
	return c.PodSpec.Containers[0].Name
}
