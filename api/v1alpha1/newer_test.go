package v1alpha1_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// What this program does not know of a pod spec is kept, by its place, and written where it was.
func TestNewerFields(t *testing.T) {
	for name, tc := range map[string]struct {
		podSpec string
		want    []v1alpha1.NewerField
	}{
		"none": {podSpec: `{containers: [{name: w, image: w, resources: {limits: {cpu: 0.5}}}]}`},
		"of the pod": {
			podSpec: `{newer: {b: [1, 0.5], a: x}, containers: [{name: w}]}`,
			want:    []v1alpha1.NewerField{{Name: "newer", Value: `{"a":"x","b":[1,0.5]}`}},
		},
		"of a container and its parts": {
			podSpec: `{containers: [{name: a}, {name: b, newer: true, securityContext: {newer: 9007199254740993}, env: [{name: X}, {name: B, valueFrom: {newerRef: {key: k}}}]}]}`,
			want: []v1alpha1.NewerField{
				{Of: "containers[1]", Name: "newer", Value: `true`},
				{Of: "containers[1].env[1].valueFrom", Name: "newerRef", Value: `{"key":"k"}`},
				{Of: "containers[1].securityContext", Name: "newer", Value: `9007199254740993`},
			},
		},
		"with a name like a path": {
			podSpec: `{containers: [{name: w}], "a.b[0]": 1}`,
			want:    []v1alpha1.NewerField{{Name: "a.b[0]", Value: `1`}},
		},
		"null, which is none": {podSpec: `{containers: [{name: w}], newer: null}`},
		"in other letters":    {podSpec: `{containers: [{name: w}], hostnetwork: true}`, want: []v1alpha1.NewerField{{Name: "hostnetwork", Value: `true`}}},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := yaml.YAMLToJSON([]byte(`{podSpec: ` + tc.podSpec + `, scaleConfig: {scalerConfigRef: s, queue: q, maxReplicas: 1}}`))
			if err != nil {
				t.Fatal(err)
			}
			var spec, again v1alpha1.QWorkerSpec
			if err := json.Unmarshal(data, &spec); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, spec.Newer); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			written, err := json.Marshal(spec)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(written, &again); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(spec, again); diff != "" {
				t.Errorf("read, written and read, -read +again:\n%s\n%s", diff, written)
			}
		})
	}
}

// The reading of a pod spec finds no more than it says.
func TestManyNewerFields(t *testing.T) {
	podSpec := map[string]any{"containers": []any{map[string]any{"name": "w"}}}
	for i := range v1alpha1.MaxNewerFields + 1 {
		podSpec[fmt.Sprint("newer", i)] = i
	}
	data, err := json.Marshal(map[string]any{"podSpec": podSpec})
	if err != nil {
		t.Fatal(err)
	}
	var spec v1alpha1.QWorkerSpec
	if err := json.Unmarshal(data, &spec); err != nil {
		t.Fatal(err)
	}
	if len(spec.Newer) != v1alpha1.MaxNewerFields {
		t.Errorf("%d fields are found, want %d", len(spec.Newer), v1alpha1.MaxNewerFields)
	}
}
