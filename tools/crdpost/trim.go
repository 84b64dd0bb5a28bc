package main

import (
	"encoding/json"
	"fmt"
)

// maxBytes is what a CRD may measure as JSON. kubectl apply keeps the whole object in an annotation, and
// the API server refuses annotations above 256 KiB in total: a bigger CRD could only be applied
// server-side. A PodSpec's own documentation alone makes it 334 kB.
const maxBytes = 200_000

// trim takes out the descriptions below podSpec. Those of QScaler's own fields stay, podSpec's among
// them; kubectl explain has the rest under "pod.spec".
func trim(kind map[string]any) {
	podSpec := at(kind, "properties", "spec", "properties", "podSpec")
	description, documented := podSpec["description"]
	visit(podSpec, func(schema map[string]any) { delete(schema, "description") })
	if documented {
		podSpec["description"] = description
	}
}

func checkSize(crd map[string]any) error {
	asJSON, err := json.Marshal(crd)
	if err != nil {
		return err
	}
	if len(asJSON) >= maxBytes {
		return fmt.Errorf("%d bytes as JSON; it must stay below %d, so that kubectl apply works", len(asJSON), maxBytes)
	}
	return nil
}
