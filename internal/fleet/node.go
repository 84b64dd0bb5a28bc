package fleet

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// NodeState is what a node's pods must know of it; the zero NodeState is an ordinary node.
type NodeState struct {
	// Leaving nodes are to go: their workers are replaced elsewhere.
	Leaving bool
	// Unreachable nodes do not answer: whether their workers are at work nobody knows.
	Unreachable bool
}

// leavingTaints mark a node for removal. Those that merely keep new pods away for a time, such as
// node.kubernetes.io/memory-pressure, are not here, nor are marks of a mere candidate, such as cluster-autoscaler's
// DeletionCandidateOfClusterAutoscaler: most candidates stay.
var leavingTaints = []string{
	corev1.TaintNodeUnschedulable, // with spec.unschedulable: kubectl cordon and drain
	corev1.TaintNodeOutOfService,
	"ToBeDeletedByClusterAutoscaler",
	"karpenter.sh/disrupted",                      // Karpenter 1.0 and later
	"karpenter.sh/disruption",                     // before
	"node.cloudprovider.kubernetes.io/shutdown",   // the cloud's node controller
	"cloud.google.com/impending-node-termination", // GKE, for spot nodes
	"aws-node-termination-handler/spot-itn",       // that handler, with taintNode
	"aws-node-termination-handler/asg-lifecycle-termination",
	"aws-node-termination-handler/scheduled-maintenance",
	"aws-node-termination-handler/rebalance-recommendation",
}

// unreachableTaints are set by the node controller when a node does not report any more. node.kubernetes.io/not-ready is not
// among them: the kubelet answers then, and its containers run on.
var unreachableTaints = []string{corev1.TaintNodeUnreachable, corev1.TaintNodeOutOfService}

// StateOfNode reads a node's state from its spec, as it is for a pod with those tolerations: where one that tolerates the
// taint, or that the taint does not keep away for sure, might be put there again, it would be replaced again, for ever.
func StateOfNode(node *corev1.Node, tolerations []corev1.Toleration) NodeState {
	taints := taintsOf(node)
	has := func(keys []string, counts func(corev1.Taint) bool) bool {
		return slices.ContainsFunc(taints, func(t corev1.Taint) bool { return slices.Contains(keys, t.Key) && counts(t) })
	}
	return NodeState{
		Leaving: has(leavingTaints, func(t corev1.Taint) bool {
			return t.Effect != corev1.TaintEffectPreferNoSchedule && !tolerated(t, tolerations)
		}),
		Unreachable: has(unreachableTaints, func(corev1.Taint) bool { return true }),
	}
}

// taintsOf are the node's taints, with the one that spec.unschedulable stands for.
func taintsOf(node *corev1.Node) []corev1.Taint {
	if !node.Spec.Unschedulable {
		return node.Spec.Taints
	}
	return append(slices.Clone(node.Spec.Taints), corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule})
}

// NodeMarks are the taints that StateOfNode goes by, as text: nodes with the same marks have the same state for every
// pod, whatever it tolerates.
func NodeMarks(node *corev1.Node) string {
	var marks []string
	for _, t := range taintsOf(node) {
		if slices.Contains(leavingTaints, t.Key) || slices.Contains(unreachableTaints, t.Key) {
			marks = append(marks, t.ToString())
		}
	}
	slices.Sort(marks)
	return strings.Join(slices.Compact(marks), ",")
}

// tolerated reports whether a taint does not keep a pod away.
func tolerated(taint corev1.Taint, tolerations []corev1.Toleration) bool {
	return slices.ContainsFunc(tolerations, func(t corev1.Toleration) bool {
		key := t.Key == taint.Key || (t.Key == "" && t.Operator == corev1.TolerationOpExists)
		effect := t.Effect == "" || t.Effect == taint.Effect
		return key && effect && (t.Operator == corev1.TolerationOpExists || t.Value == taint.Value)
	})
}

// StripNode is a cache transform: of a node only its name and whether it is to stay matter. The rest is large,
// and changes every few seconds.
func StripNode(object any) (any, error) {
	node, ok := object.(*corev1.Node)
	if !ok {
		return object, nil
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: node.Name, UID: node.UID, ResourceVersion: node.ResourceVersion},
		Spec:       corev1.NodeSpec{Unschedulable: node.Spec.Unschedulable, Taints: node.Spec.Taints},
	}, nil
}

// NodeIndex is the name of the cache's index of pods by the node that they run on.
const NodeIndex = "spec.nodeName"

// IndexByNode is the function of NodeIndex.
func IndexByNode(object client.Object) []string {
	pod, ok := object.(*corev1.Pod)
	if !ok || pod.Spec.NodeName == "" {
		return nil
	}
	return []string{pod.Spec.NodeName}
}
