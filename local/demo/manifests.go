package demo

import (
	"context"
	_ "embed"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/local/brokers"
)

// What the objects are called. The worker, the queue and the ScalerConfig are those of the manifest.
const (
	namespace  = metav1.NamespaceDefault
	workerName = "example-qworker"
	configName = "example-scaler-config"
	secretName = "broker-secret"
	queue      = brokers.ExampleQueue
	container  = "worker"
	password   = "local-demo"
)

// manifest is the QWorker of config/samples, with numbers that make a story.
//
//go:embed qworker.yaml
var manifest []byte

// applyManifests creates the objects as a user would with kubectl.
func applyManifests(ctx context.Context, c client.Client, b brokers.Broker, server brokers.Server) error {
	worker, err := qworker(b)
	if err != nil {
		return err
	}
	source := &v1alpha1.PasswordSource{Secret: &v1alpha1.SecretKeyReference{Name: secretName, Key: "password"}}
	for _, object := range []client.Object{
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: secretName}, StringData: map[string]string{"password": password}},
		&v1alpha1.ScalerConfig{ObjectMeta: metav1.ObjectMeta{Name: configName}, Spec: b.Config(server, source)},
		worker,
	} {
		object.SetNamespace(namespace)
		if err := c.Create(ctx, object); err != nil {
			return fmt.Errorf("creating %T %s, %w", object, object.GetName(), err)
		}
	}
	return nil
}

// qworker is the manifest's, for workers of the broker.
func qworker(b brokers.Broker) (*unstructured.Unstructured, error) {
	var object unstructured.Unstructured
	if err := yaml.Unmarshal(manifest, &object.Object); err != nil {
		return nil, fmt.Errorf("qworker.yaml, %w", err)
	}
	containers, _, err := unstructured.NestedSlice(object.Object, "spec", "podSpec", "containers")
	if err != nil || len(containers) != 1 {
		return nil, fmt.Errorf("qworker.yaml has %d containers and not one (%w)", len(containers), err)
	}
	containers[0].(map[string]any)["image"] = b.Image
	if err := unstructured.SetNestedSlice(object.Object, containers, "spec", "podSpec", "containers"); err != nil {
		return nil, err
	}
	if b.Group != "" {
		err = unstructured.SetNestedField(object.Object, b.Group, "spec", "scaleConfig", "consumerGroup")
	}
	return &object, err
}
