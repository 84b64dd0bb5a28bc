package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/worker/contract"
)

// node is in place of kubelets: it acknowledges pods and runs nothing, so that the figures are those of the operator
// and the API server. It also counts what it sees.
type node struct {
	stand *stand
	mu    sync.Mutex
	// acknowledge makes new pods ready; leave makes those with a grant end.
	acknowledge, leave bool
	changed            chan struct{} // closed and made anew with each event
	pods               map[string]*corev1.Pod
	granted            map[string]bool // ever
	most               int
	// work has the pods that are to be seen to.
	work chan *corev1.Pod
}

// newNode begins to watch. It ends with ctx.
func newNode(ctx context.Context, s *stand, acknowledge, leave bool) (*node, error) {
	n := &node{
		stand: s, acknowledge: acknowledge, leave: leave, changed: make(chan struct{}),
		pods: map[string]*corev1.Pod{}, granted: map[string]bool{}, work: make(chan *corev1.Pod, 1<<16),
	}
	factory := informers.NewSharedInformerFactoryWithOptions(s.clientset, 0, informers.WithNamespace(namespace))
	_, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { n.see(o.(*corev1.Pod)) },
		UpdateFunc: func(_, o any) { n.see(o.(*corev1.Pod)) },
		DeleteFunc: n.miss,
	})
	if err != nil {
		return nil, err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	for range parallel {
		go func() {
			for {
				select {
				case <-ctx.Done():
					return
				case pod := <-n.work:
					n.serve(ctx, pod)
				}
			}
		}()
	}
	return n, nil
}

func (n *node) see(pod *corev1.Pod) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pods[pod.Name] = pod
	n.most = max(n.most, len(n.pods))
	if hasLeave(pod) {
		n.granted[pod.Name] = true
	}
	if n.acknowledge || n.leave {
		n.work <- pod
	}
	n.tell()
}

func (n *node) miss(o any) {
	if last, ok := o.(cache.DeletedFinalStateUnknown); ok {
		o = last.Obj
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.pods, o.(*corev1.Pod).Name)
	n.tell()
}

// tell wakes who waits. The lock is held.
func (n *node) tell() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// serve brings a pod's status to what a kubelet would report.
func (n *node) serve(ctx context.Context, pod *corev1.Pod) {
	n.mu.Lock()
	acknowledge, leave := n.acknowledge, n.leave
	n.mu.Unlock()
	status := pod.Status.DeepCopy()
	switch {
	case leave && hasLeave(pod) && pod.Status.Phase == corev1.PodRunning:
		status.Phase = corev1.PodSucceeded
		status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
		status.ContainerStatuses[0].Ready = false
		status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			StartedAt: *pod.Status.StartTime, FinishedAt: metav1.Now(), Reason: "Completed",
		}}
	case acknowledge && pod.Status.Phase == corev1.PodPending && pod.DeletionTimestamp == nil:
		now := metav1.Now()
		status.Phase, status.StartTime = corev1.PodRunning, &now
		status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: now}}
		status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: pod.Spec.Containers[0].Name, Ready: true, Started: new(true),
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		}}
	default:
		return
	}
	reported := pod.DeepCopy()
	reported.Status = *status
	// Somebody who has deleted it needs no status of it.
	_ = n.stand.client.Status().Patch(ctx, reported, client.MergeFrom(pod))
}

// setLeave has workers with a grant leave from now on, or stay.
func (n *node) setLeave(leave bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.leave = leave
	for _, pod := range n.pods {
		n.work <- pod
	}
}

// await waits until the pods are as wanted, and returns when that was seen.
func (n *node) await(ctx context.Context, what string, wanted func(pods map[string]*corev1.Pod) bool) (time.Time, error) {
	timeout := time.NewTimer(waitLimit)
	defer timeout.Stop()
	for {
		n.mu.Lock()
		seen, changed, count := wanted(n.pods), n.changed, len(n.pods)
		n.mu.Unlock()
		if seen {
			return time.Now(), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		case <-timeout.C:
			return time.Time{}, fmt.Errorf("waiting for %s: not within %s, there are %d pods", what, waitLimit, count)
		}
	}
}

// awaitCount waits until there are so many pods.
func (n *node) awaitCount(ctx context.Context, count int) (time.Time, error) {
	return n.await(ctx, fmt.Sprintf("%d pods", count), func(pods map[string]*corev1.Pod) bool { return len(pods) == count })
}

// awaitReady waits until there are so many pods, all ready.
func (n *node) awaitReady(ctx context.Context, count int) (time.Time, error) {
	return n.await(ctx, fmt.Sprintf("%d ready pods", count), func(pods map[string]*corev1.Pod) bool {
		return len(pods) == count && countOf(pods, isRunning) == count
	})
}

// forget resets who has had a grant, and the most pods at once.
func (n *node) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.granted, n.most = map[string]bool{}, len(n.pods)
}

// account is who has had a grant, and the most pods at once.
func (n *node) account() (granted map[string]bool, most int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.granted, n.most
}

// snapshot is the pods as they are.
func (n *node) snapshot() []*corev1.Pod {
	n.mu.Lock()
	defer n.mu.Unlock()
	pods := make([]*corev1.Pod, 0, len(n.pods))
	for _, pod := range n.pods {
		pods = append(pods, pod)
	}
	return pods
}

func countOf(pods map[string]*corev1.Pod, is func(*corev1.Pod) bool) int {
	count := 0
	for _, pod := range pods {
		if is(pod) {
			count++
		}
	}
	return count
}

func isRunning(pod *corev1.Pod) bool { return pod.Status.Phase == corev1.PodRunning }

func hasLeave(pod *corev1.Pod) bool { return pod.Annotations[contract.AnnotationDrain] != "" }
