package main

import "math"

// controller-gen's pattern for a Quantity, and the one that takes its place. The first lets through what
// resource.ParseQuantity refuses ("1e1.5") or takes seconds to work out ("1e9999999").
const (
	loosePattern = `^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$`
	tightPattern = `^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?[0-9]{1,2}))?$`
)

// tighten refuses the values of quantities and int-or-strings that the schema allows and Go's types do
// not. One such object in any namespace would be enough: a client that lists QWorkers fails on the whole
// list, and no fleet would be scaled any more.
func tighten(kind map[string]any) {
	visit(kind, func(schema map[string]any) {
		switch {
		case schema["x-kubernetes-int-or-string"] != true:
		case schema["pattern"] == loosePattern:
			schema["pattern"] = tightPattern
		case schema["pattern"] == nil: // an intstr.IntOrString, whose number is an int32
			schema["minimum"], schema["maximum"] = math.MinInt32, math.MaxInt32
		}
	})
}
