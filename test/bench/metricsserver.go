package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// metricsServer stands in for a cluster's metrics-server, behind the API server as there: it tells what pods use, each
// time as if it had been measured just now.
type metricsServer struct {
	http     *httptest.Server
	operator *operatorProcess
	mu       sync.Mutex
	pods     []*corev1.Pod
	list     []byte
	// ticks has what the operator had used when it asked for the list.
	ticks chan usage
}

var metricsVersion = schema.GroupVersion{Group: "metrics.k8s.io", Version: "v1beta1"}

// podMetricsList is the published type. (k8s.io/metrics/pkg/apis/metrics/v1beta1)
type podMetricsList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []podMetrics `json:"items"`
}

type podMetrics struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Timestamp         metav1.Time        `json:"timestamp"`
	Window            metav1.Duration    `json:"window"`
	Containers        []containerMetrics `json:"containers"`
}

type containerMetrics struct {
	Name  string              `json:"name"`
	Usage corev1.ResourceList `json:"usage"`
}

// DeepCopyObject makes it an object that a client reads. Nobody copies it.
func (l *podMetricsList) DeepCopyObject() runtime.Object { return l }

// newMetricsServer tells of these pods until the stand stops.
func newMetricsServer(ctx context.Context, s *stand, pods []*corev1.Pod) (*metricsServer, error) {
	m := &metricsServer{operator: s.operator, pods: pods, ticks: make(chan usage, 1)}
	if err := m.measure(); err != nil {
		return nil, err
	}
	m.http = httptest.NewTLSServer(m)
	s.stops = append(s.stops, m.http.Close)
	_, port, err := net.SplitHostPort(m.http.Listener.Addr().String())
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		return nil, err
	}
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "metrics-server"},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"},
	}
	if err := s.client.Create(ctx, service); err != nil {
		return nil, err
	}
	registration := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"group": metricsVersion.Group, "version": metricsVersion.Version, "groupPriorityMinimum": int64(100), "versionPriority": int64(100),
		"insecureSkipTLSVerify": true,
		"service":               map[string]any{"namespace": service.Namespace, "name": service.Name, "port": number},
	}}}
	registration.SetAPIVersion("apiregistration.k8s.io/v1")
	registration.SetKind("APIService")
	registration.SetName(metricsVersion.Version + "." + metricsVersion.Group)
	return m, s.client.Create(ctx, registration)
}

// measure makes the list anew.
func (m *metricsServer) measure() error {
	now := metav1.NewTime(time.Now().Truncate(time.Second))
	list := podMetricsList{Items: make([]podMetrics, len(m.pods))}
	list.SetGroupVersionKind(metricsVersion.WithKind("PodMetricsList"))
	for i, pod := range m.pods {
		list.Items[i] = podMetrics{
			ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, Labels: pod.Labels, CreationTimestamp: now},
			Timestamp:  now, Window: metav1.Duration{Duration: 15 * time.Second},
			Containers: []containerMetrics{{Name: "worker", Usage: usageOf(i)}},
		}
	}
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(list); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = b.Bytes()
	return nil
}

// ServeHTTP answers the API server: what is served, and the list.
func (m *metricsServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	root := "/apis/" + metricsVersion.String()
	switch r.URL.Path {
	case root:
		resources := metav1.APIResourceList{GroupVersion: metricsVersion.String(), APIResources: []metav1.APIResource{
			{Name: "pods", SingularName: "pod", Namespaced: true, Kind: "PodMetrics", Verbs: metav1.Verbs{"get", "list"}},
		}}
		resources.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "APIResourceList"})
		_ = json.NewEncoder(w).Encode(resources)
	case fmt.Sprintf("%s/namespaces/%s/pods", root, namespace):
		if r.UserAgent() == operatorAgent {
			if err := m.tick(r.Context()); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		m.mu.Lock()
		list := m.list
		m.mu.Unlock()
		_, _ = w.Write(list)
	default:
		http.NotFound(w, r)
	}
}

// operatorAgent is how the operator names itself.
const operatorAgent = "qscaler"

// tick notes what the operator has used before it reads a new list.
func (m *metricsServer) tick(ctx context.Context) error {
	if err := m.measure(); err != nil {
		return err
	}
	u, err := m.operator.read(ctx)
	if err != nil {
		return err
	}
	select {
	case m.ticks <- u:
	default: // nobody waits for it
	}
	return nil
}

// nextTick waits for the operator to ask, and returns what it had used before.
func (m *metricsServer) nextTick(ctx context.Context) (usage, error) {
	select {
	case <-m.ticks: // an old one
	default:
	}
	select {
	case u := <-m.ticks:
		return u, nil
	case <-ctx.Done():
		return usage{}, ctx.Err()
	case <-time.After(waitLimit):
		return usage{}, fmt.Errorf("the operator has not read the usage of pods within %s", waitLimit)
	}
}
