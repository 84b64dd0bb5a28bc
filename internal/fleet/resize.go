package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// subresourceResize changes the resources of a running pod's containers without a restart (Kubernetes 1.33
// and newer, KEP-1287).
const subresourceResize = "resize"

// Resize gives containers of a running pod other resources, and reports whether it did. A pod that has changed or
// gone meanwhile is left to the next look at it, and is no error. One that fails again is tried ever less often.
func (f *Fleets) Resize(ctx context.Context, qw *v1alpha1.QWorker, pod *corev1.Pod, containers map[string]corev1.ResourceRequirements) (bool, error) {
	var ordinary, first []any
	for name, r := range containers {
		changed := map[string]any{"name": name, "resources": r}
		if isInit(pod, name) {
			first = append(first, changed)
		} else {
			ordinary = append(ordinary, changed)
		}
	}
	spec := map[string]any{}
	if len(ordinary) > 0 {
		spec["containers"] = ordinary
	}
	if len(first) > 0 {
		spec["initContainers"] = first
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID}, "spec": spec})
	if err != nil {
		return false, err
	}
	resized := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}
	err = f.podRetries.attempt(qw.UID, change{pod: pod.Name, kind: subresourceResize}, func() error {
		return ignoreStale(f.client.SubResource(subresourceResize).Patch(ctx, resized, client.RawPatch(types.StrategicMergePatchType, patch)))
	})
	if errors.Is(err, errStale) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("resizing pod %s, %w", pod.Name, err)
	}
	f.overlay.Record(qw.UID, podWrite{Object: slim(resized), At: f.clock.Now()})
	return true, nil
}

func isInit(pod *corev1.Pod, container string) bool {
	for _, c := range pod.Spec.InitContainers {
		if c.Name == container {
			return true
		}
	}
	return false
}

// Resizable tells whether the cluster can resize running pods.
type Resizable struct {
	discovery discovery.ServerResourcesInterface
	mu        sync.Mutex
	known     bool
	can       bool
}

// NewResizable asks the API server's discovery, once it is needed.
func NewResizable(d discovery.ServerResourcesInterface) *Resizable { return &Resizable{discovery: d} }

// Ask asks once; an answer is kept as long as the process lives, an error is not.
func (r *Resizable) Ask() (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known {
		return r.can, nil
	}
	resources, err := r.discovery.ServerResourcesForGroupVersion("v1")
	if err != nil {
		return false, fmt.Errorf("asking whether running pods can be resized, %w", err)
	}
	r.known = true
	for _, resource := range resources.APIResources {
		if resource.Name == "pods/"+subresourceResize {
			r.can = true
		}
	}
	return r.can, nil
}
