package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/local/process"
)

// podMetrics is the resource of the metrics API.
var podMetrics = schema.GroupVersionResource{Group: "metrics.k8s.io", Version: "v1beta1", Resource: "pods"}

// publisher writes what pods use as PodMetrics, and deletes the PodMetrics of pods that no longer run.
type publisher struct {
	client dynamic.Interface
	// last is the usage of each process at the last measurement: CPU is reported as the average since then.
	last   map[int]process.Usage
	lastAt time.Time
	// written are the pods that have PodMetrics.
	written map[types.NamespacedName]bool
}

func newPublisher(client dynamic.Interface) *publisher {
	return &publisher{client: client, written: map[types.NamespacedName]bool{}}
}

type containerMetrics struct {
	Name  string            `json:"name"`
	Usage map[string]string `json:"usage"`
}

// publish writes one object for each pod. A container is in it from its second measurement on: the first gives no
// average of CPU.
func (p *publisher) publish(ctx context.Context, running map[int]metered, usages map[int]process.Usage, now time.Time) error {
	window := now.Sub(p.lastAt)
	pods := map[types.NamespacedName][]containerMetrics{}
	labels := map[types.NamespacedName]map[string]string{}
	for pid, c := range running {
		name := types.NamespacedName{Namespace: c.runner.namespace, Name: c.runner.name}
		before, seen := p.last[pid]
		used, runs := usages[pid]
		if !seen || !runs {
			continue
		}
		cpu := float64(max(used.CPU-before.CPU, 0)) / float64(window)
		pods[name] = append(pods[name], containerMetrics{Name: c.name, Usage: map[string]string{
			"cpu": fmt.Sprintf("%dn", int64(cpu*1e9)), "memory": fmt.Sprintf("%dKi", used.Memory>>10),
		}})
		labels[name] = c.labels()
	}
	var errs []error
	for name, containers := range pods {
		if err := p.write(ctx, name, labels[name], containers, window, now); err != nil {
			errs = append(errs, err)
			break // the API server does not answer, or the kind is not installed: the others would fail too
		}
		p.written[name] = true
	}
	for name := range p.written {
		if _, still := pods[name]; still {
			continue
		}
		err := p.client.Resource(podMetrics).Namespace(name.Namespace).Delete(ctx, name.Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, err)
			break
		}
		delete(p.written, name)
	}
	p.last, p.lastAt = usages, now
	return errors.Join(errs...)
}

func (p *publisher) write(ctx context.Context, name types.NamespacedName, labels map[string]string, containers []containerMetrics, window time.Duration, now time.Time) error {
	object, err := json.Marshal(map[string]any{
		"apiVersion": podMetrics.GroupVersion().String(), "kind": "PodMetrics",
		"metadata":  map[string]any{"name": name.Name, "namespace": name.Namespace, "labels": labels},
		"timestamp": now.UTC().Format(time.RFC3339), "window": window.Round(time.Millisecond).String(), "containers": containers,
	})
	if err != nil {
		return err
	}
	_, err = p.client.Resource(podMetrics).Namespace(name.Namespace).Patch(ctx, name.Name, types.ApplyPatchType, object,
		metav1.PatchOptions{FieldManager: "qscaler-local", Force: ptr.To(true)})
	return err
}

func (c metered) labels() map[string]string {
	c.runner.mu.Lock()
	defer c.runner.mu.Unlock()
	return c.runner.latest.Labels
}
