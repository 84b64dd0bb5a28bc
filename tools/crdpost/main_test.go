package main

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestFinishKeepsOurOwnDescriptions(t *testing.T) {
	got, err := finish([]byte(`
kind: CustomResourceDefinition
spec:
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        description: kept-kind
        properties:
          spec:
            description: kept-spec
            properties:
              podSpec:
                description: kept-podSpec
                properties:
                  containers:
                    description: gone
                    items:
                      description: gone
                      properties:
                        description:
                          description: gone
                          type: string
              queue:
                description: kept-queue
`))
	if err != nil {
		t.Fatal(err)
	}
	out := string(got)
	for _, kept := range []string{"kept-kind", "kept-spec", "kept-podSpec", "kept-queue", "type: string"} {
		if !strings.Contains(out, kept) {
			t.Errorf("%q is gone from:\n%s", kept, out)
		}
	}
	if strings.Contains(out, "gone") {
		t.Errorf("a description below podSpec is still there:\n%s", out)
	}
}

func TestFinishRefusesWhatKubectlCannotApply(t *testing.T) {
	big := "spec:\n  versions:\n  - name: " + strings.Repeat("a", maxBytes)
	if _, err := finish([]byte(big)); err == nil || !strings.Contains(err.Error(), "kubectl apply") {
		t.Errorf("got %v, want an error that says why", err)
	}
	if _, err := finish([]byte("kind: List")); err == nil {
		t.Error("want an error for what is no CRD")
	}
}

func TestTightenBoundsIntOrString(t *testing.T) {
	var schema map[string]any
	if err := yaml.Unmarshal([]byte(`{properties: {port: {x-kubernetes-int-or-string: true}, name: {type: string}}}`), &schema); err != nil {
		t.Fatal(err)
	}
	tighten(schema)
	if at(schema, "properties", "port")["maximum"] != 1<<31-1 {
		t.Errorf("the port is not bounded: %v", schema)
	}
	if len(at(schema, "properties", "name")) != 1 {
		t.Errorf("the name has changed: %v", schema)
	}
}
