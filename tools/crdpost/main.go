// Command crdpost finishes the CRDs that controller-gen generates: it takes out the descriptions that make
// them too big to apply (trim.go), closes the gaps through which an object could be stored that no
// typed client can read (tighten.go), and takes what Kubernetes' own kinds take: quantities without quotes
// (quantity.go, exclusive.go), and whole pod templates (podspec.go).
//
//	crdpost DIRECTORY    rewrites every .yaml file in DIRECTORY
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: crdpost DIRECTORY")
		os.Exit(2)
	}
	if err := finishAll(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "crdpost:", err)
		os.Exit(1)
	}
}

func finishAll(directory string) error {
	files, err := filepath.Glob(filepath.Join(directory, "*.yaml"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("no CRDs in %s", directory)
	}
	var errs []error
	for _, file := range files {
		if err := finishFile(file); err != nil {
			errs = append(errs, fmt.Errorf("%s, %w", file, err))
		}
	}
	return errors.Join(errs...)
}

func finishFile(file string) error {
	before, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	after, err := finish(before)
	if err != nil {
		return err
	}
	return os.WriteFile(file, after, 0o644)
}

// finish returns the finished CRD.
func finish(manifest []byte) ([]byte, error) {
	var crd map[string]any
	if err := yaml.Unmarshal(manifest, &crd); err != nil {
		return nil, err
	}
	versions, _ := at(crd, "spec")["versions"].([]any)
	if len(versions) == 0 {
		return nil, errors.New("not a CustomResourceDefinition: it has no spec.versions")
	}
	for _, version := range versions {
		version, _ := version.(map[string]any)
		schema := at(version, "schema", "openAPIV3Schema")
		likeDeployment(schema)
		openQuantities(schema)
		tighten(schema)
		exclude(schema)
		trim(schema)
	}
	if err := checkSize(crd); err != nil {
		return nil, err
	}
	out, err := yaml.Marshal(crd)
	return append([]byte("---\n"), out...), err
}
