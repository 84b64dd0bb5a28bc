// Package crds installs QScaler's CustomResourceDefinitions through the API, for local mode and for tests.
// In a cluster, kubectl and kustomize do this.
package crds

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/quickube/qscaler/config/crd"
)

// waitLimit bounds the wait for the API server to serve a new kind; it takes some 100 ms.
const waitLimit = 30 * time.Second

// Install creates or updates the definitions, and returns when the API server serves the kinds.
func Install(ctx context.Context, config *rest.Config) error {
	client, err := clientset.NewForConfig(config)
	if err != nil {
		return err
	}
	files, err := fs.Glob(crd.Files, "bases/*.yaml")
	if err != nil {
		return err
	}
	api := client.ApiextensionsV1().CustomResourceDefinitions()
	var names []string
	for _, file := range files {
		manifest, err := crd.Files.ReadFile(file)
		if err != nil {
			return err
		}
		data, err := yaml.YAMLToJSON(manifest)
		if err != nil {
			return fmt.Errorf("%s, %w", file, err)
		}
		var meta metav1.PartialObjectMetadata
		if err := yaml.Unmarshal(data, &meta); err != nil {
			return fmt.Errorf("%s, %w", file, err)
		}
		_, err = api.Patch(ctx, meta.Name, types.ApplyPatchType, bytes.TrimSpace(data),
			metav1.PatchOptions{FieldManager: "qscaler-local", Force: ptr.To(true)})
		if err != nil {
			return fmt.Errorf("installing %s, %w", meta.Name, err)
		}
		names = append(names, meta.Name)
	}
	for _, name := range names {
		err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, waitLimit, true, func(ctx context.Context) (bool, error) {
			definition, err := api.Get(ctx, name, metav1.GetOptions{})
			return err == nil && established(definition), err
		})
		if err != nil {
			return fmt.Errorf("waiting for %s to be established, %w", name, err)
		}
	}
	return nil
}

func established(definition *apiextensionsv1.CustomResourceDefinition) bool {
	for _, condition := range definition.Status.Conditions {
		if condition.Type == apiextensionsv1.Established {
			return condition.Status == apiextensionsv1.ConditionTrue
		}
	}
	return false
}
