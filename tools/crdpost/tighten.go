package main

import "math"

// tighten refuses the int-or-strings that the schema allows and Go's types do not. One such object in any namespace
// would be enough: a client that lists QWorkers fails on the whole list, and no fleet would be scaled any more.
func tighten(kind map[string]any) {
	visit(kind, func(schema map[string]any) {
		if schema["x-kubernetes-int-or-string"] == true && schema["pattern"] == nil { // an intstr.IntOrString, whose number is an int32
			schema["minimum"], schema["maximum"] = math.MinInt32, math.MaxInt32
		}
	})
}
