package demo

import (
	"context"
	"embed"
	"fmt"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// What the manifests name.
const (
	namespace  = metav1.NamespaceDefault
	workerName = "example-qworker"
	queue      = "task-queue"
	container  = "worker"
	password   = "local-demo"
)

// manifests are config/samples, with numbers that make a story.
//
//go:embed manifests/*.yaml
var manifests embed.FS

// applyManifests creates the objects as a user would with kubectl.
func applyManifests(ctx context.Context, c client.Client, redisPort int) error {
	for _, file := range []string{"secret.yaml", "scalerconfig.yaml", "qworker.yaml"} {
		data, err := manifests.ReadFile("manifests/" + file)
		if err != nil {
			return err
		}
		text := strings.ReplaceAll(string(data), "REDIS_PORT", strconv.Itoa(redisPort))
		var object unstructured.Unstructured
		if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
			return fmt.Errorf("%s, %w", file, err)
		}
		object.SetNamespace(namespace)
		if err := c.Create(ctx, &object); err != nil {
			return fmt.Errorf("applying %s, %w", file, err)
		}
	}
	return nil
}
