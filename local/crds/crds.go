// Package crds installs QScaler's CustomResourceDefinitions through the API, for local mode and for tests.
// In a cluster, kubectl and kustomize do this.
package crds

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
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
			if err != nil || !established(definition) {
				return false, err
			}
			return served(ctx, client.DiscoveryClient, definition)
		})
		if err != nil {
			return fmt.Errorf("waiting for the API server to serve %s, %w", name, err)
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

// served reports whether the API server tells of a kind. It does so some time after the definition is established: on a busy
// machine a client that asks at once finds no such kind.
func served(ctx context.Context, api *discovery.DiscoveryClient, definition *apiextensionsv1.CustomResourceDefinition) (bool, error) {
	groups, err := api.ServerGroupsWithContext(ctx)
	if err != nil {
		return false, err
	}
	listed := slices.ContainsFunc(groups.Groups, func(g metav1.APIGroup) bool { return g.Name == definition.Spec.Group })
	if !listed {
		return false, nil
	}
	for _, version := range definition.Spec.Versions {
		list, err := api.ServerResourcesForGroupVersionWithContext(ctx, definition.Spec.Group+"/"+version.Name)
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if !slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Name == definition.Spec.Names.Plural }) {
			return false, nil
		}
	}
	return true, nil
}
