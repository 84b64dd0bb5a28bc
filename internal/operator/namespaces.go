package operator

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/rights"
)

// newNamespaces looks after the rights in the namespaces that the operator watches.
func newNamespaces(o Options, clk clock.Clock) (*rights.Namespaces, error) {
	live, err := client.New(patiently(o.Config), client.Options{Scheme: NewScheme()})
	if err != nil {
		return nil, fmt.Errorf("making a client to ask for rights, %w", err)
	}
	return rights.NewNamespaces(rights.Options{
		Live: live, Namespaces: o.Namespaces, Clock: clk, Log: o.Log, Registerer: o.Registerer,
		Kinds: []schema.GroupVersionKind{
			v1alpha1.GroupVersion.WithKind("QWorker"), v1alpha1.GroupVersion.WithKind("ScalerConfig"),
			corev1.SchemeGroupVersion.WithKind("Pod"), appsv1.SchemeGroupVersion.WithKind("ControllerRevision"),
		},
	}), nil
}
