package exampleworkers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// Whoever applies a manifest of the examples gets workers: its image stands for a program that is there.
func TestEachImageOfTheExamplesIsMapped(t *testing.T) {
	images, err := Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	manifests, err := filepath.Glob(filepath.Join(root, "examples", "*", "qworker.yaml"))
	if err != nil || len(manifests) == 0 {
		t.Fatalf("the examples have no manifests (%v)", err)
	}
	for _, manifest := range manifests {
		data, err := os.ReadFile(manifest)
		if err != nil {
			t.Fatal(err)
		}
		var qw v1alpha1.QWorker
		if err := yaml.Unmarshal(data, &qw); err != nil {
			t.Fatalf("%s, %v", manifest, err)
		}
		for _, c := range qw.Spec.PodSpec.Containers {
			command, mapped := images[c.Image]
			if !mapped {
				t.Errorf("%s: nothing is mapped to the image %s", manifest, c.Image)
				continue
			}
			program := command[len(command)-1]
			if info, err := os.Stat(program); err != nil || !info.Mode().IsRegular() || !strings.HasPrefix(program, "/") {
				t.Errorf("%s: the image %s stands for %v, which is no program (%v)", manifest, c.Image, command, err)
			}
		}
	}
}
