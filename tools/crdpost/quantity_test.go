package main

import (
	"reflect"
	"regexp"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

func TestPatternsAreWhatGoReads(t *testing.T) {
	const no, zero, above = "no quantity", "a quantity", "a quantity above 0"
	any, positive := regexp.MustCompile(tightPattern), regexp.MustCompile(abovePattern)
	for value, want := range map[string]string{
		"1": above, "0.1": above, ".5": above, "5.": above, "+1": above, "100m": above, "1n": above, "1u": above, "10": above,
		"1k": above, "1M": above, "1E": above, "1Ki": above, "1.5Gi": above, "1e3": above, "1E-3": above, "1e18": above, "0.05": above,
		"0": zero, "00": zero, "0.0": zero, ".0": zero, "0Ki": zero, "0e9": zero, "-1": zero, "-0.1": zero, "+0": zero,
		"": no, "abc": no, "1e1.5": no, "1e9999999": no, "1ki": no, "1 Gi": no, ".": no, "1e": no, "m": no,
		" a quantity, such as 0.5, 500m or 1Gi": no, " a number above 0, such as 2, 0.1 or 100m": no,
	} {
		got := no
		switch {
		case positive.MatchString(value):
			got = above
		case any.MatchString(value):
			got = zero
		}
		if got != want {
			t.Errorf("%q is %s, want %s", value, got, want)
		}
		q, err := resource.ParseQuantity(value)
		if want != no && err != nil {
			t.Errorf("%q matches, and Go does not read it: %v", value, err)
		}
		if want != no && (q.Sign() > 0) != (want == above) {
			t.Errorf("%q is %s, and Go reads %s", value, want, &q)
		}
	}
}

func TestOpenQuantitiesHaveNoType(t *testing.T) {
	var schema, want map[string]any
	for manifest, into := range map[string]*map[string]any{
		`{properties: {cpu: {anyOf: [{type: integer}, {type: string}], x-kubernetes-int-or-string: true, pattern: '` + loosePattern + `'}}}`: &schema,
		`{properties: {cpu: {x-kubernetes-preserve-unknown-fields: true, pattern: '` + tightPattern + `', not: {enum: [false, true]}}}}`:     &want,
	} {
		if err := yaml.Unmarshal([]byte(manifest), into); err != nil {
			t.Fatal(err)
		}
	}
	openQuantities(schema)
	cpu := at(schema, "properties", "cpu")
	for _, bound := range []string{"minItems", "maxItems", "minProperties", "maxProperties"} {
		delete(cpu, bound)
	}
	if !reflect.DeepEqual(schema, want) {
		t.Errorf("got %v, want %v", schema, want)
	}
}
