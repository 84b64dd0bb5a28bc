package main

import (
	"reflect"
	"slices"
)

// The patterns of a Quantity: controller-gen's, and those that take its place. controller-gen's lets through what
// resource.ParseQuantity refuses ("1e1.5") or takes seconds to work out ("1e9999999"). The API server shows a
// pattern to the user as it is, so each has words for people behind its last "$". They match nothing.
const (
	loosePattern = `^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$`
	tightPattern = `^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)` + suffix + `$|$ a quantity, such as 0.5, 500m or 1Gi`
	// abovePattern is that of a Quantity above 0.
	abovePattern = `^\+?(0*[1-9][0-9]*\.?[0-9]*|0*\.[0-9]*[1-9][0-9]*)` + suffix + `$|$ a number above 0, such as 2, 0.1 or 100m`
	suffix       = `([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?`
)

// aboveZero marks a Quantity above 0 in the API's types: as its pattern.
const aboveZero = "above 0"

// openQuantities lets quantities be written without quotes, as the API server does for its own kinds: "0.5", 0.5
// and 2. The type int-or-string has no fractions, so the type stays open, and the rules refuse what is neither a
// string nor a number. CEL does not see such a field.
func openQuantities(kind map[string]any) {
	visit(kind, func(schema map[string]any) {
		above := isAboveZero(schema)
		if schema["x-kubernetes-int-or-string"] != true || (schema["pattern"] != loosePattern && !above) {
			return
		}
		delete(schema, "x-kubernetes-int-or-string")
		delete(schema, "anyOf")
		delete(schema, "allOf")
		schema["x-kubernetes-preserve-unknown-fields"] = true
		schema["pattern"] = tightPattern
		schema["not"] = map[string]any{"enum": []any{false, true}}
		schema["minItems"], schema["maxItems"] = 1, 0
		schema["minProperties"], schema["maxProperties"] = 1, 0
		if above {
			schema["pattern"] = abovePattern
			schema["minimum"], schema["exclusiveMinimum"] = 0, true
		}
	})
}

// isAboveZero reports whether a schema has the mark. controller-gen puts it beside its own pattern.
func isAboveZero(schema map[string]any) bool {
	patterns, _ := schema["allOf"].([]any)
	return slices.ContainsFunc(patterns, func(p any) bool {
		p, _ = p.(map[string]any)
		return reflect.DeepEqual(p, map[string]any{"pattern": aboveZero})
	})
}
