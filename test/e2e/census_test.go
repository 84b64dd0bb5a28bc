package e2e

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/quickube/qscaler/worker/contract"
)

// census follows the story's pods: which there were, and which had a grant.
type census struct {
	mu   sync.Mutex
	pods map[string]*resident
	stop func()
}

// resident is one pod, present or gone.
type resident struct {
	pod     corev1.Pod // as last seen
	gone    bool
	granted time.Time // when it first had a grant
	reason  string
}

// takeCensus follows the namespace's pods until the story's end, also over an outage of the API server.
func (s *story) takeCensus() *census {
	s.Helper()
	client, err := kubernetes.NewForConfig(s.stack.Config())
	if err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(s.namespace))
	c := &census{pods: map[string]*resident{}}
	c.stop = func() {
		cancel()
		factory.Shutdown()
	}
	_, err = factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { s.saw(c, o) },
		UpdateFunc: func(_, o any) { s.saw(c, o) },
		DeleteFunc: func(o any) {
			if last, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = last.Obj
			}
			pod := o.(*corev1.Pod)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.pods[pod.Name].gone = true
		},
	})
	if err != nil {
		s.Fatal(err)
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	return c
}

func (s *story) saw(c *census, o any) {
	pod := o.(*corev1.Pod)
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.pods[pod.Name]
	if r == nil {
		r = &resident{}
		c.pods[pod.Name] = r
	}
	r.pod = *pod
	if reason := pod.Annotations[contract.AnnotationDrain]; reason != "" && r.granted.IsZero() {
		r.reason = reason
		since, _, _ := strings.Cut(pod.Annotations[contract.AnnotationDrainSince], ",")
		r.granted, _ = time.Parse(time.RFC3339Nano, since)
	}
}

// isLive reports whether a pod's worker may be at work.
func (c *census) isLive(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.pods[name]
	return r != nil && !r.gone && working(&r.pod)
}

func working(pod *corev1.Pod) bool {
	return pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}

// present has the pods of a QWorker that exist and have not ended.
func (c *census) present(fleet string) []corev1.Pod {
	return c.where(func(r *resident) bool {
		return !r.gone && working(&r.pod) && ofFleet(r, fleet)
	})
}

// everGranted has the pods of a QWorker that have had a grant, also those that are gone.
func (c *census) everGranted(fleet string) []corev1.Pod {
	return c.where(func(r *resident) bool { return !r.granted.IsZero() && ofFleet(r, fleet) })
}

func ofFleet(r *resident, fleet string) bool { return r.pod.Labels[contract.LabelQWorker] == fleet }

func (c *census) where(keep func(*resident) bool) []corev1.Pod {
	c.mu.Lock()
	defer c.mu.Unlock()
	var pods []corev1.Pod
	for _, r := range c.pods {
		if keep(r) {
			pods = append(pods, r.pod)
		}
	}
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return pods
}

// grantedAt is when a pod first had a grant, and why.
func (c *census) grantedAt(name string) (at time.Time, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.pods[name]
	return r.granted, r.reason
}

func names(pods []corev1.Pod) []string {
	list := make([]string, len(pods))
	for i, pod := range pods {
		list[i] = pod.Name
	}
	return list
}

func hasLeave(pod corev1.Pod) bool { return pod.Annotations[contract.AnnotationDrain] != "" }
