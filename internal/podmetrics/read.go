package podmetrics

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/client-go/rest"
)

// Usage is what a container used: CPU in cores, an average over some seconds, and memory in bytes, the
// working set.
type Usage struct {
	CPU    resource.Quantity `json:"cpu"`
	Memory resource.Quantity `json:"memory"`
}

// Container is what a container of a pod used.
type Container struct {
	Name  string `json:"name"`
	Usage Usage  `json:"usage"`
}

// Pod is what the containers of a pod used.
type Pod struct {
	// Time is the end of the time in which it was measured.
	Time time.Time
	// Containers are few: with a map for each pod, the maps would be most of what ten thousand pods take.
	Containers []Container
}

// Of is what the container of a name used, false where the list does not have it.
func (p Pod) Of(container string) (Usage, bool) {
	for _, c := range p.Containers {
		if c.Name == container {
			return c.Usage, true
		}
	}
	return Usage{}, false
}

// Read lists what the pods of a namespace use, by name.
type Read func(ctx context.Context, namespace string) (map[string]Pod, error)

// path is that of the metrics API. v1beta1 is what every metrics-server serves.
const path = "/apis/metrics.k8s.io/v1beta1/namespaces/%s/pods"

// list is the part of a PodMetricsList that is used. It is a type of our own: the published one would bring a module
// for four fields, and decode ten thousand label maps that nobody reads.
type list struct {
	Items []struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Timestamp  time.Time   `json:"timestamp"`
		Containers []Container `json:"containers"`
	} `json:"items"`
}

// FromAPI reads from an API server.
func FromAPI(client rest.Interface) Read {
	return func(ctx context.Context, namespace string) (map[string]Pod, error) {
		body, err := client.Get().AbsPath(fmt.Sprintf(path, namespace)).SetHeader("Accept", "application/json").DoRaw(ctx)
		if err != nil {
			return nil, err
		}
		return decode(body)
	}
}

func decode(body []byte) (map[string]Pod, error) {
	var l list
	if err := json.Unmarshal(body, &l); err != nil {
		return nil, fmt.Errorf("reading the list of pod metrics, %w", err)
	}
	pods := make(map[string]Pod, len(l.Items))
	for _, item := range l.Items {
		pods[item.Metadata.Name] = Pod{Time: item.Timestamp, Containers: item.Containers}
	}
	return pods, nil
}
