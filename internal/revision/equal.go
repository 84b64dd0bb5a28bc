package revision

import (
	"context"
	"crypto/sha256"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// unequal has the names of revisions that were read whole and differ from a content. What a revision has never changes:
// while a revision cannot be stored, the same ones are not read again and again.
type unequal struct {
	content [sha256.Size]byte
	names   map[string]bool
}

// equal reports whether a stored revision would make the same pods. The pod spec is read where the cache lacks it, and
// all else is the same.
func (h *History) equal(ctx context.Context, qw *v1alpha1.QWorker, r Revision, content Content) (bool, error) {
	if !r.stripped {
		return r.Equal(content), nil
	}
	rest := content
	rest.PodSpec, rest.Newer = r.PodSpec, r.Newer
	if !r.Equal(rest) {
		return false, nil
	}
	data, err := canonical(content)
	if err != nil {
		return false, fmt.Errorf("encoding the revision, %w", err)
	}
	sum := sha256.Sum256(data)
	if h.isUnequal(qw.UID, sum, r.name) {
		return false, nil
	}
	whole, err := h.read(ctx, qw, r)
	if client.IgnoreNotFound(err) != nil {
		return false, err
	}
	if err == nil && whole.Equal(content) {
		return true, nil
	}
	h.noteUnequal(qw.UID, sum, r.name)
	return false, nil
}

func (h *History) isUnequal(qworker types.UID, content [sha256.Size]byte, name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	known := h.unequal[qworker]
	return known.content == content && known.names[name]
}

func (h *History) noteUnequal(qworker types.UID, content [sha256.Size]byte, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	known := h.unequal[qworker]
	if known.names == nil || known.content != content {
		known = unequal{content: content, names: map[string]bool{}}
		h.unequal[qworker] = known
	}
	known.names[name] = true
}
