package revision

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/quickube/qscaler/api/v1alpha1"
)

const (
	// keptWhole is up to how many bytes a revision is cached as it is. Most have one or two KiB.
	keptWhole = 16 << 10
	// annotationStripped is on a revision in the cache that lacks its pod spec, and nowhere else. It has the number of
	// bytes that the revision has in the API server.
	annotationStripped = "quickube.com/stripped-of-bytes"
)

// Strip takes from a revision what the cache need not hold: of a large one its pod spec, which is read when it is needed.
// A history is mostly of revisions that no pod is made of.
func Strip(object any) (any, error) {
	stored, ok := object.(*appsv1.ControllerRevision)
	if !ok {
		return object, nil // what is said of one that is gone
	}
	stored.ManagedFields = nil
	size := len(stored.Data.Raw)
	if size <= keptWhole {
		return stored, nil
	}
	var content map[string]json.RawMessage
	if json.Unmarshal(stored.Data.Raw, &content) != nil {
		return stored, nil // whoever decodes it says so
	}
	delete(content, "podSpec")
	delete(content, "newer")
	rest, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("stripping the revision %s, %w", stored.Name, err)
	}
	stored.Data.Raw = rest
	annotations := maps.Clone(stored.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[annotationStripped] = strconv.Itoa(size)
	stored.Annotations = annotations
	return stored, nil
}

// Complete reads the pod specs that the cache lacks of those revisions that are needed, and forgets the others. The newest
// one is always needed. What a revision has never changes, so it is read once.
func (h *History) Complete(ctx context.Context, qw *v1alpha1.QWorker, stored []Revision, needed func(hash string) bool) error {
	known, kept := h.contentsOf(qw.UID), map[string]Content{}
	for i := range stored {
		r := &stored[i]
		if r.bytes <= keptWhole || (i < len(stored)-1 && !needed(r.Hash)) {
			continue
		}
		if r.stripped {
			content, found := known[r.name]
			if !found {
				var err error
				if content, err = h.read(ctx, qw, *r); err != nil {
					return err
				}
			}
			r.Content, r.stripped = content, false
		}
		kept[r.name] = r.Content
	}
	h.keepContents(qw.UID, kept)
	return nil
}

// read reads the whole content of a revision from the API server.
func (h *History) read(ctx context.Context, qw *v1alpha1.QWorker, r Revision) (Content, error) {
	var object appsv1.ControllerRevision
	if err := h.live.Get(ctx, types.NamespacedName{Namespace: qw.Namespace, Name: r.name}, &object); err != nil {
		return Content{}, fmt.Errorf("reading the revision %s, %w", r.name, err)
	}
	whole, err := decode(&object)
	return whole.Content, err
}

func (h *History) contentsOf(qworker types.UID) map[string]Content {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.contents[qworker]
}

func (h *History) keepContents(qworker types.UID, kept map[string]Content) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(kept) == 0 {
		delete(h.contents, qworker)
		return
	}
	h.contents[qworker] = kept
}
