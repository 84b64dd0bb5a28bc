package main

// visit calls f for a schema and every schema in it. It follows the schema's structure, because a
// property may itself be called "description" or "pattern".
func visit(schema map[string]any, f func(schema map[string]any)) {
	if schema == nil {
		return
	}
	f(schema)
	for _, key := range []string{"items", "additionalProperties", "not"} {
		visit(at(schema, key), f)
	}
	for _, property := range at(schema, "properties") {
		property, _ := property.(map[string]any)
		visit(property, f)
	}
	for _, key := range []string{"allOf", "anyOf", "oneOf"} {
		alternatives, _ := schema[key].([]any)
		for _, alternative := range alternatives {
			alternative, _ := alternative.(map[string]any)
			visit(alternative, f)
		}
	}
}

// at returns the object at a path, nil where there is none.
func at(object map[string]any, path ...string) map[string]any {
	for _, key := range path {
		object, _ = object[key].(map[string]any)
	}
	return object
}
