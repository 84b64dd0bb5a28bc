package main

import "slices"

// likeDeployment makes podSpec take what the pod template of a Deployment takes:
//
//   - Lists have no keys, because a Deployment takes a name twice in env, or a port twice. Those keep theirs in which
//     a Deployment takes no name twice either: there, server-side apply merges by name, as in a Deployment.
//   - There are no defaults, as a Deployment's are not in what its owner has written. With them, kubectl would find
//     a difference each time that an unchanged manifest is applied.
//   - Fields that this schema does not know are kept: a newer Kubernetes has newer fields. What was pruned would vanish
//     without a word. The metadata of a claim has a few that generated templates write, such as "creationTimestamp: null".
//   - What is optional may be null: a template leaves "env:" behind where there is nothing to list. To a rule, a field that is
//     null is there: the rules of podSpec look for that.
//   - The value of a header or a sysctl may be absent, and is empty then.
func likeDeployment(kind map[string]any) {
	podSpec := at(kind, "properties", "spec", "properties", "podSpec")
	kept := map[string]any{}
	for _, list := range []string{"containers", "initContainers", "volumes"} {
		kept[list] = at(podSpec, "properties", list)["x-kubernetes-list-map-keys"]
	}
	visit(podSpec, func(schema map[string]any) {
		delete(schema, "default")
		if schema["x-kubernetes-list-type"] != nil {
			schema["x-kubernetes-list-type"] = "atomic"
			delete(schema, "x-kubernetes-list-map-keys")
		}
		letBeAbsent(schema, "value", "name")
		letBeNull(schema)
		if schema["properties"] != nil {
			schema["x-kubernetes-preserve-unknown-fields"] = true
		}
	})
	for list, keys := range kept {
		if keys, _ := keys.([]any); slices.Equal(keys, []any{"name"}) {
			schema := at(podSpec, "properties", list)
			schema["x-kubernetes-list-type"], schema["x-kubernetes-list-map-keys"] = "map", keys
		}
	}
}

// letBeAbsent makes a field optional in the objects that require it and the other one, and nothing else.
func letBeAbsent(schema map[string]any, field, other string) {
	required, _ := schema["required"].([]any)
	if len(required) == 2 && slices.Contains(required, any(field)) && slices.Contains(required, any(other)) {
		schema["required"] = []any{other}
	}
}

// letBeNull lets the optional fields of an object be null.
func letBeNull(schema map[string]any) {
	required, _ := schema["required"].([]any)
	for name, property := range at(schema, "properties") {
		property, _ := property.(map[string]any)
		if property["type"] != nil && !slices.Contains(required, any(name)) {
			property["nullable"] = true
		}
	}
}
