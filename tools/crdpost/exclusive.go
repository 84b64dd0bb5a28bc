package main

// exclude refuses two fields of scaleConfig beside each other. A rule in CEL would say it better, and does not see
// a field whose type is open (quantity.go). "not" would do, and its message names neither field. So the schema asks that
// one be absent or be these words, which no number is: the message names the field and has the words.
func exclude(kind map[string]any) {
	scaleConfig := at(kind, "properties", "spec", "properties", "scaleConfig")
	if at(scaleConfig, "properties", "scalingFactor") == nil || at(scaleConfig, "properties", "messagesPerWorker") == nil {
		return
	}
	scaleConfig["anyOf"] = []any{
		map[string]any{"properties": map[string]any{"messagesPerWorker": map[string]any{"enum": []any{
			"absent beside scalingFactor, because they are each other's inverse: remove one of the two",
		}}}},
		map[string]any{"not": map[string]any{"required": []any{"scalingFactor"}}},
	}
}
