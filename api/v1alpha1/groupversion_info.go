// Package v1alpha1 has the two kinds of QScaler's API, QWorker and ScalerConfig, in the group quickube.com.
//
// It holds types, their validation as markers, and nothing that decides.
//
// +kubebuilder:object:generate=true
// +groupName=quickube.com
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the group and version of the kinds in this package.
var GroupVersion = schema.GroupVersion{Group: "quickube.com", Version: "v1alpha1"}

// AddToScheme registers the kinds in this package with a scheme.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &QWorker{}, &QWorkerList{}, &ScalerConfig{}, &ScalerConfigList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
