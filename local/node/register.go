package node

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// hostIP is the node's own address.
const hostIP = "127.0.0.1"

// register creates the Node object, or uses the one of an earlier run, and reports it ready. While the API server
// does not answer, it waits.
func (n *Node) register(ctx context.Context) error {
	return wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		err := n.tryRegister(ctx)
		if err != nil && permanent(err) {
			return false, err
		}
		return err == nil, nil
	})
}

// permanent reports whether trying again cannot help.
func permanent(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || apierrors.IsBadRequest(err)
}

func (n *Node) tryRegister(ctx context.Context) error {
	nodes := n.client.CoreV1().Nodes()
	node, err := nodes.Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: n.options.Name, Labels: n.labels()}}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		if node, err = nodes.Get(ctx, n.options.Name, metav1.GetOptions{}); err != nil {
			return err
		}
		if node.Labels == nil {
			node.Labels = map[string]string{}
		}
		for key, value := range n.labels() {
			node.Labels[key] = value
		}
		node, err = nodes.Update(ctx, node, metav1.UpdateOptions{})
	}
	if err != nil {
		return err
	}
	status, err := n.status()
	if err != nil {
		return err
	}
	node.Status = status
	_, err = nodes.UpdateStatus(ctx, node, metav1.UpdateOptions{})
	return err
}

func (n *Node) labels() map[string]string {
	labels := map[string]string{
		corev1.LabelHostname:   n.options.Name,
		corev1.LabelOSStable:   runtime.GOOS,
		corev1.LabelArchStable: runtime.GOARCH,
	}
	for key, value := range n.options.Labels {
		labels[key] = value
	}
	return labels
}

func (n *Node) status() (corev1.NodeStatus, error) {
	memory, err := machineMemory()
	if err != nil {
		return corev1.NodeStatus{}, err
	}
	resources := corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewQuantity(int64(runtime.NumCPU()), resource.DecimalSI),
		corev1.ResourceMemory: *memory,
		corev1.ResourcePods:   resource.MustParse("1M"), // requests are not counted either
	}
	now := metav1.Now()
	var endpoints corev1.NodeDaemonEndpoints
	if n.kubelet != nil {
		endpoints.KubeletEndpoint.Port = n.kubelet.port()
	}
	return corev1.NodeStatus{
		DaemonEndpoints: endpoints,
		Capacity:        resources,
		Allocatable:     resources,
		Conditions: []corev1.NodeCondition{{
			Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "LocalModeReady",
			Message: "pods run as processes of this machine", LastHeartbeatTime: now, LastTransitionTime: now,
		}},
		Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: hostIP}, {Type: corev1.NodeHostName, Address: n.options.Name}},
		NodeInfo: corev1.NodeSystemInfo{
			OperatingSystem: runtime.GOOS, Architecture: runtime.GOARCH,
			ContainerRuntimeVersion: "process://1", KubeletVersion: "v1.37.2-qscaler-local",
		},
	}, nil
}

// machineMemory reads the first line of /proc/meminfo: "MemTotal:       24578392 kB".
func machineMemory() (*resource.Quantity, error) {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(data))
	if len(fields) < 2 {
		return nil, fmt.Errorf("/proc/meminfo: unexpected content %q", data)
	}
	kilobytes, err := strconv.ParseInt(fields[1], 10, 64)
	return resource.NewQuantity(kilobytes*1024, resource.BinarySI), err
}

// watchSelf notices `kubectl cordon`.
func (n *Node) watchSelf(factory informers.SharedInformerFactory) error {
	seen := func(obj any) {
		node, ok := obj.(*corev1.Node)
		if !ok || node.Name != n.options.Name {
			return
		}
		n.mu.Lock()
		changed := n.schedulable == node.Spec.Unschedulable
		n.schedulable = !node.Spec.Unschedulable
		n.mu.Unlock()
		if changed {
			n.wakeAll()
		}
	}
	_, err := factory.Core().V1().Nodes().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    seen,
		UpdateFunc: func(_, obj any) { seen(obj) },
	})
	return err
}
