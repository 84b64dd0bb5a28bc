package fleet

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/quickube/qscaler/internal/revision"
)

// All pods of a revision have its annotation, and the cache holds the text once.
func TestStripHoldsTheTextOfARevisionOnce(t *testing.T) {
	var texts []string
	for range 2 {
		pod := makePod().annotated(revision.AnnotationRevision, strings.Clone("of the revision"))
		if _, err := Strip(pod.Pod); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, pod.Annotations[revision.AnnotationRevision])
	}
	if texts[0] != "of the revision" || unsafe.StringData(texts[0]) != unsafe.StringData(texts[1]) {
		t.Errorf("it holds %q, want one text for both", texts)
	}
}
