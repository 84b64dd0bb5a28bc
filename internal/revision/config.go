package revision

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/connection"
)

// annotationConfig has, as JSON, the fingerprints of the Secrets and ConfigMaps that the pods of a revision were made with.
// A revision has none where nobody asked for it.
const annotationConfig = "quickube.com/config-fingerprints"

// Config is what is known of the Secrets and ConfigMaps that a content refers to.
type Config struct {
	// Follow is true where a change of one of them is another revision.
	Follow bool
	// Fingerprints are those of the objects that could be read, by name.
	Fingerprints map[string]string
}

// Changed has the names of the objects that have another content than when pods of the revision were made, in order. Of an
// object that is not known of both nobody can tell, nor of one whose fingerprint was made with another key.
func (r Revision) Changed(present Config) []string {
	var changed []string
	for _, name := range slices.Sorted(maps.Keys(r.Config)) {
		if present.Follow && connection.Another(r.Config[name], present.Fingerprints[name]) {
			changed = append(changed, name)
		}
	}
	return changed
}

// adopt stores with a revision what is known of its objects and not stored: pods of it exist, and are as they are to be.
// Where changes are not followed any more, it removes what is stored. When they are followed again, nothing has changed.
func (h *History) adopt(ctx context.Context, qw *v1alpha1.QWorker, r Revision, present Config) (Revision, error) {
	known := maps.Clone(r.Config)
	if known == nil {
		known = map[string]string{}
	}
	maps.Copy(known, present.Fingerprints)
	if !present.Follow {
		known = nil
	}
	if maps.Equal(known, r.Config) {
		return r, nil
	}
	var value any // null removes the annotation
	if len(known) > 0 {
		value = textOf(known)
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{annotationConfig: value}}})
	if err != nil {
		return Revision{}, fmt.Errorf("encoding the fingerprints of Secrets and ConfigMaps, %w", err)
	}
	if err := h.patch(ctx, qw, r, string(patch)); err != nil {
		return Revision{}, err
	}
	r.Config = known
	return r, nil
}

// textOf is the fingerprints as JSON, with the names in order.
func textOf(fingerprints map[string]string) string {
	text, err := json.Marshal(fingerprints)
	if err != nil {
		return "" // a map of strings can be encoded
	}
	return string(text)
}

// configOf is what is stored of the objects of a revision. What nobody can read is nothing, and is written anew.
func configOf(annotation string) map[string]string {
	var fingerprints map[string]string
	if annotation == "" || json.Unmarshal([]byte(annotation), &fingerprints) != nil {
		return nil
	}
	return fingerprints
}
