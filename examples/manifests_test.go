package examples

import (
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// TestManifests: each manifest is a QWorker, and has no field that a QWorker has not.
func TestManifests(t *testing.T) {
	files, err := filepath.Glob("*/qworker.yaml")
	must(t, err)
	if len(files) != 11 {
		t.Fatalf("manifests %v, want 11", files)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		must(t, err)
		var qw v1alpha1.QWorker
		if err := yaml.UnmarshalStrict(data, &qw); err != nil {
			t.Errorf("%s, %v", file, err)
		}
	}
}
