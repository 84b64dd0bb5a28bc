package main

import (
	"context"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/local/stack"
)

// exampleConfig is the ScalerConfig that the manifests of examples/ refer to.
const exampleConfig = "example-scaler-config"

// applyScalerConfig creates the ScalerConfig of the local Redis, so that only a QWorker is missing.
func applyScalerConfig(ctx context.Context, local *stack.Stack) error {
	c, err := client.New(local.Config(), client.Options{Scheme: operator.NewScheme()})
	if err != nil {
		return err
	}
	return c.Create(ctx, &v1alpha1.ScalerConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: exampleConfig},
		Spec: v1alpha1.ScalerConfigSpec{Type: v1alpha1.BrokerRedis, Config: v1alpha1.BrokerConfig{
			Host: "127.0.0.1", Port: ptr.To(intstr.FromInt(local.Redis().Port())),
		}},
	})
}

// printGuide says how to reach what runs, and what to try next.
func printGuide(out io.Writer, local *stack.Stack) {
	fmt.Fprintf(out, `
ready:
  kubeconfig      %[1]s
  broker          %[2]s
  ScalerConfig    %[3]s, in namespace default, reaches it
  operator's log  %[4]s
  workers' logs   %[5]s

try, in another terminal:
  export KUBECONFIG=%[1]s
  kubectl apply -f examples/worker-sdk/qworker.yaml
  for i in 1 2 3 4 5 6; do redis-cli -p %[6]d LPUSH task-queue '{"id":"t-'$i'","ms":5000}'; done
  kubectl get qw,pods --watch

Images of examples/ run here as they are; map your own with --image name=command.
Ctrl-C stops everything, and removes it.
`, local.Kubeconfig(), local.Redis(), exampleConfig, local.Operator().Log(),
		local.LogPath(metav1.NamespaceDefault, "POD", "CONTAINER"), local.Redis().Port())
}
