package revision

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/worker/contract"
)

// AnnotationRevision has what must be known of a pod's revision when that is not stored any more: a QWorker that is deleted
// in the foreground has no revisions any more before its last workers leave. Of a password it has the reference.
const AnnotationRevision = "quickube.com/revision"

// remains is the content of AnnotationRevision.
type remains struct {
	// Worker is the name of the container whose end is the worker's end.
	Worker     string             `json:"worker"`
	Queue      string             `json:"queue"`
	Group      string             `json:"group,omitempty"`
	Connection connection.Spec    `json:"connection"`
	Drain      v1alpha1.DrainSpec `json:"drain,omitzero"`
	Node       string             `json:"node,omitempty"`
}

// annotation is the value of AnnotationRevision, "" for a content that cannot be encoded, which there is not.
func (c Content) annotation() string {
	text, err := json.Marshal(remains{Worker: c.WorkerContainer(), Queue: c.Queue, Group: c.Group, Connection: c.Connection, Drain: c.Drain, Node: c.PodSpec.NodeName})
	if err != nil {
		return ""
	}
	return string(text)
}

// Remains is so much of a revision as is needed when no pod of it is created any more.
func (r Revision) Remains() Revision {
	return remains{
		Worker: r.WorkerContainer(), Queue: r.Queue, Group: r.Group, Connection: r.Connection, Drain: r.Drain, Node: r.PodSpec.NodeName,
	}.revision(r.Hash)
}

// OfPod is what a pod says of its revision. Whoever may write to pods may have written it. It says nothing where an earlier version of the operator has made it.
func OfPod(pod *corev1.Pod) (Revision, bool) {
	var r remains
	hash := pod.Labels[contract.LabelPodSpecHash]
	if hash == "" || json.Unmarshal([]byte(pod.Annotations[AnnotationRevision]), &r) != nil || r.Queue == "" {
		return Revision{}, false
	}
	return r.revision(hash), true
}

func (r remains) revision(hash string) Revision {
	return Revision{Hash: hash, Content: Content{
		PodSpec: corev1.PodSpec{NodeName: r.Node, Containers: []corev1.Container{{Name: r.Worker}}},
		Queue:   r.Queue, Group: r.Group, Connection: r.Connection, Drain: r.Drain,
	}}
}
