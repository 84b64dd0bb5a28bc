package revision

import (
	"fmt"
	"hash/fnv"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/worker/contract"
)

// NewPodName chooses a name for a pod of the QWorker that no pod had before.
func NewPodName(owner *v1alpha1.QWorker) string { return NamePrefix(owner) + rand.String(suffixLength) }

// suffixLength is the length of the part of a name that is the pod's own.
const suffixLength = 10

// IsPodName reports whether a name is one that NewPodName chooses for the QWorker. NamePrefix at its beginning is not
// enough: a QWorker that is itself named like one of these pods has pods with that prefix, too.
func IsPodName(owner *v1alpha1.QWorker, name string) bool {
	suffix, ok := strings.CutPrefix(name, NamePrefix(owner))
	return ok && len(suffix) == suffixLength && !strings.Contains(suffix, "-")
}

// PrefixOf is the NamePrefix of the QWorker for which NewPodName chooses a name, "" where it chooses it for none.
func PrefixOf(name string) string {
	end := strings.LastIndexByte(name, '-') + 1
	if len(name)-end != suffixLength {
		return ""
	}
	return name[:end]
}

// maxNameLength is how many of a name's 253 characters the QWorker's part may have.
const maxNameLength = 253 - len("-123456-1234567890")

// NamePrefix starts the name of every pod and revision of a QWorker: its name, cut where it is too long, and a hash
// of its UID. The hash keeps the pods of a QWorker apart from those of its namesakes in other
// namespaces and clusters that share a broker, and from those of its own predecessor.
func NamePrefix(qw *v1alpha1.QWorker) string {
	cut := strings.TrimRight(qw.Name[:min(len(qw.Name), maxNameLength)], ".-")
	return fmt.Sprintf("%s-%s-", cut, uidHash(qw.UID))
}

// ownLabels are the operator's labels of a QWorker's pods and revisions.
func ownLabels(qw *v1alpha1.QWorker, hash string) map[string]string {
	labels := map[string]string{
		contract.LabelQWorkerUID:  string(qw.UID),
		contract.LabelPodSpecHash: hash,
	}
	if len(qw.Name) <= maxLabelLength {
		labels[contract.LabelQWorker] = qw.Name
	}
	return labels
}

const maxLabelLength = 63

func uidHash(uid types.UID) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(uid))
	return safe(uint64(h.Sum32()), 6)
}
