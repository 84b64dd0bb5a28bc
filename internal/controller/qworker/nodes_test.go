package qworker_test

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/worker/contract"
)

// node makes a node of the test's own.
func (c *cluster) node(name string) *corev1.Node {
	c.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: c.namespace + "-" + name}}
	if err := c.Create(c.Context(), node); err != nil {
		c.Fatal(err)
	}
	return node
}

// bind puts a pod on a node, as the scheduler would.
func (c *cluster) bind(pod corev1.Pod, node *corev1.Node) {
	c.Helper()
	binding := &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: node.Name}}
	if err := c.SubResource("binding").Create(c.Context(), &pod, binding); err != nil {
		c.Fatal(err)
	}
}

// changeNode changes a node's spec.
func (c *cluster) changeNode(node *corev1.Node, change func(*corev1.NodeSpec)) {
	c.Helper()
	if err := c.Get(c.Context(), client.ObjectKeyFromObject(node), node); err != nil {
		c.Fatal(err)
	}
	change(&node.Spec)
	if err := c.Update(c.Context(), node); err != nil {
		c.Fatal(err)
	}
}

func (c *cluster) reload(pods ...corev1.Pod) []corev1.Pod {
	c.Helper()
	for i := range pods {
		if err := c.Get(c.Context(), client.ObjectKeyFromObject(&pods[i]), &pods[i]); err != nil {
			c.Fatal(err)
		}
	}
	return pods
}

func TestACordonedNodesWorkerIsReplacedFirst(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(1, 5)
	c.create(c.scalerConfig("config"), q)
	pod := c.awaitPods("w", 1)[0]
	node := c.node("leaving")
	c.bind(pod, node)
	c.run(c.reload(pod)...)
	c.push(q.queueName(), 1)
	c.hold(q.queueName(), pod.Name)
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")

	c.changeNode(node, func(s *corev1.NodeSpec) { s.Unschedulable = true })
	var replacement corev1.Pod
	for _, p := range c.awaitPods("w", 2) {
		if p.Name != pod.Name {
			replacement = p
		}
	}
	if with, _ := granted(c.pods("w")); len(with) > 0 {
		t.Errorf("%s has a grant before its replacement runs", with[0].Name)
	}
	c.run(replacement)
	with, _ := c.awaitGrants("w", 1)
	if with[0].Name != pod.Name || with[0].Annotations[contract.AnnotationDrain] != "NodeDrain" {
		t.Errorf("%s has a grant for %s, want %s for NodeDrain", with[0].Name, with[0].Annotations[contract.AnnotationDrain], pod.Name)
	}

	// The node stays after all: the busy worker does too, and the idle replacement leaves.
	c.changeNode(node, func(s *corev1.NodeSpec) { s.Unschedulable = false })
	c.eventually("the replacement leaves instead", func() string {
		with, _ := granted(c.pods("w"))
		if len(with) != 1 || with[0].Name != replacement.Name {
			return fmt.Sprintf("%d have a grant", len(with))
		}
		return ""
	})
}

// A pod spec that names its node has every replacement there as well: replacing them would never end.
func TestAPodThatBelongsOnANodeIsNotReplaced(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	node := c.node("named")
	q := makeQWorker("w").replicas(2, 5)
	q.Spec.PodSpec.NodeName = node.Name
	c.create(c.scalerConfig("config"), q)
	pods := c.awaitPods("w", 2)
	c.run(pods[0])
	c.changeNode(node, func(s *corev1.NodeSpec) { s.Unschedulable = true })
	c.push(q.queueName(), 3) // a reconciliation that has seen the node
	names := map[string]bool{}
	for _, p := range c.awaitPods("w", 3) {
		names[p.Name] = true
	}
	for _, p := range pods {
		if !names[p.Name] {
			t.Errorf("%s was replaced", p.Name)
		}
	}
	if with, _ := granted(c.pods("w")); len(with) > 0 {
		t.Errorf("%s has a grant", with[0].Name)
	}
}

func TestAnUnreachableWorkerIsReplacedAndCountsWhenItIsBack(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(2, 5)
	c.create(c.scalerConfig("config"), q)
	pods := c.awaitPods("w", 2)
	node := c.node("unreachable")
	c.bind(pods[0], node)
	c.run(c.reload(pods...)...)
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")

	c.changeNode(node, func(s *corev1.NodeSpec) {
		s.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoExecute}}
	})
	for _, p := range c.awaitPods("w", 3) {
		if p.Status.Phase != corev1.PodRunning {
			c.run(p)
		}
	}
	c.changeNode(node, func(s *corev1.NodeSpec) { s.Taints = nil })
	with, _ := c.awaitGrants("w", 1)
	if got := with[0].Annotations[contract.AnnotationDrain]; got != "ScaleDown" {
		t.Errorf("the reason is %q, want ScaleDown: there is one worker too many", got)
	}
}
