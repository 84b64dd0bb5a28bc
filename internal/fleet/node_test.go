package fleet

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestStateOfNode(t *testing.T) {
	tainted := func(key string, effect corev1.TaintEffect) *corev1.Node {
		return &corev1.Node{Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: key, Effect: effect}}}}
	}
	cordoned := &corev1.Node{Spec: corev1.NodeSpec{Unschedulable: true}}
	cases := map[string]struct {
		node *corev1.Node
		want NodeState
	}{
		"an ordinary node":                     {&corev1.Node{}, NodeState{}},
		"a cordoned node is to go":             {cordoned, NodeState{Leaving: true}},
		"Karpenter disrupts it":                {tainted("karpenter.sh/disrupted", "NoSchedule"), NodeState{Leaving: true}},
		"an older Karpenter disrupts it":       {tainted("karpenter.sh/disruption", "NoSchedule"), NodeState{Leaving: true}},
		"cluster-autoscaler deletes it":        {tainted("ToBeDeletedByClusterAutoscaler", "NoSchedule"), NodeState{Leaving: true}},
		"cluster-autoscaler's candidate stays": {tainted("DeletionCandidateOfClusterAutoscaler", "PreferNoSchedule"), NodeState{}},
		"it is out of service":                 {tainted("node.kubernetes.io/out-of-service", "NoExecute"), NodeState{Leaving: true, Unreachable: true}},
		"it does not answer":                   {tainted("node.kubernetes.io/unreachable", "NoExecute"), NodeState{Unreachable: true}},
		"it is not ready, and answers":         {tainted("node.kubernetes.io/not-ready", "NoExecute"), NodeState{}},
		"it has little memory":                 {tainted("node.kubernetes.io/memory-pressure", "NoSchedule"), NodeState{}},
		"it is for some pods alone":            {tainted("example.com/gpu", "NoSchedule"), NodeState{}},
		"AWS takes the spot instance back":     {tainted("aws-node-termination-handler/spot-itn", "NoSchedule"), NodeState{Leaving: true}},
		"GKE takes the spot instance back":     {tainted("cloud.google.com/impending-node-termination", "NoSchedule"), NodeState{Leaving: true}},
		"GKE would rather have none there":     {tainted("cloud.google.com/impending-node-termination", "PreferNoSchedule"), NodeState{}},
		"the cloud has shut the machine down":  {tainted("node.cloudprovider.kubernetes.io/shutdown", "NoSchedule"), NodeState{Leaving: true}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := StateOfNode(c.node, nil); got != c.want {
				t.Errorf("StateOfNode = %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestAToleratedTaintDisplacesNobody(t *testing.T) {
	cordoned := &corev1.Node{Spec: corev1.NodeSpec{Unschedulable: true}}
	cases := map[string]struct {
		toleration corev1.Toleration
		leaving    bool
	}{
		"another taint":              {corev1.Toleration{Key: "example.com/gpu", Operator: "Exists"}, true},
		"another effect":             {corev1.Toleration{Key: "node.kubernetes.io/unschedulable", Operator: "Exists", Effect: "NoExecute"}, true},
		"cordoned nodes":             {corev1.Toleration{Key: "node.kubernetes.io/unschedulable", Operator: "Exists"}, false},
		"everything":                 {corev1.Toleration{Operator: "Exists"}, false},
		"the taint by its value":     {corev1.Toleration{Key: "node.kubernetes.io/unschedulable", Value: ""}, false},
		"the taint of no such value": {corev1.Toleration{Key: "node.kubernetes.io/unschedulable", Value: "x"}, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := StateOfNode(cordoned, []corev1.Toleration{c.toleration}).Leaving; got != c.leaving {
				t.Errorf("Leaving = %t, want %t", got, c.leaving)
			}
		})
	}
}

func TestStripNodeKeepsWhatStateOfNodeReads(t *testing.T) {
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "n", UID: "u", ResourceVersion: "7", Labels: map[string]string{"a": "b"}},
		Spec:       corev1.NodeSpec{Unschedulable: true, ProviderID: "x", Taints: []corev1.Taint{{Key: "k"}}},
		Status:     corev1.NodeStatus{Images: []corev1.ContainerImage{{Names: []string{"i"}}}},
	}
	got, err := StripNode(node)
	if err != nil {
		t.Fatal(err)
	}
	want := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "n", UID: "u", ResourceVersion: "7"},
		Spec:       corev1.NodeSpec{Unschedulable: true, Taints: []corev1.Taint{{Key: "k"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("StripNode (-want +got):\n%s", diff)
	}
}

// A pod that tolerates the first of two marks has to learn of the second.
func TestASecondMarkWakes(t *testing.T) {
	node := func(keys ...string) *corev1.Node {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
		for _, key := range keys {
			n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: key, Effect: corev1.TaintEffectNoSchedule})
		}
		return n
	}
	one, two := node(corev1.TaintNodeUnschedulable), node(corev1.TaintNodeUnschedulable, "karpenter.sh/disrupted")
	if NodeMarks(one) == NodeMarks(two) || NodeMarks(node("other")) != "" {
		t.Errorf("the marks are %q and %q, and %q of another taint", NodeMarks(one), NodeMarks(two), NodeMarks(node("other")))
	}
	turned := node("karpenter.sh/disrupted", corev1.TaintNodeUnschedulable)
	if NodeMarks(two) != NodeMarks(turned) {
		t.Errorf("the marks are %q, and %q in another order", NodeMarks(two), NodeMarks(turned))
	}
}
