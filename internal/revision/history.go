package revision

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/worker/contract"
)

// Revision is one stored version of a QWorker's content.
type Revision struct {
	Content

	// Hash names the revision in status.currentPodSpecHash and in the pods' label.
	Hash string
	// Number grows with every change and every return to an earlier content.
	Number int64
	// Proven is true once a pod of the revision has been ready.
	Proven bool
	// Tried is true once a pod of the revision was to be created beside those of another.
	Tried bool
	// Verdict is why the last rollout to the revision stopped; the zero Verdict is none.
	Verdict Verdict

	name string
}

// Verdict is why a rollout stopped. It is kept with the revision because the pods that showed it do not stay: a fleet
// that is scaled to none keeps no canary.
type Verdict struct {
	// Generation is that of the QWorker when it was found. Under another spec it may not hold.
	Generation int64  `json:"generation"`
	Reason     string `json:"reason"`
	Message    string `json:"message"`
}

const (
	annotationProven = "quickube.com/proven"
	annotationTried  = "quickube.com/tried"
	// annotationVerdict has a Verdict as JSON.
	annotationVerdict = "quickube.com/verdict"
	// maxCollisions bounds the search for a free hash. One is unlikely, ten are a defect.
	maxCollisions = 10
)

// OwnerIndex is the name of the cache's index of ControllerRevisions by the UID of their QWorker. A list by
// label alone looks at the revisions of every QWorker of the namespace.
const OwnerIndex = "revision-of-qworker"

// IndexByOwner is the function of OwnerIndex.
func IndexByOwner(object client.Object) []string {
	return []string{object.GetLabels()[contract.LabelQWorkerUID]}
}

// History keeps the revisions of QWorkers as ControllerRevisions.
type History struct {
	// Client reads from a cache that has the index of OwnerIndex, and writes to the API server.
	Client client.Client
	// Live reads from the API server.
	Live client.Reader
}

// List returns the stored revisions of a QWorker, oldest first.
func (h *History) List(ctx context.Context, qw *v1alpha1.QWorker) ([]Revision, error) {
	var list appsv1.ControllerRevisionList
	err := h.Client.List(ctx, &list, client.InNamespace(qw.Namespace),
		client.MatchingFields{OwnerIndex: string(qw.UID)}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("listing the revisions, %w", err)
	}
	revisions := make([]Revision, 0, len(list.Items))
	for i := range list.Items {
		if !metav1.IsControlledBy(&list.Items[i], qw) {
			continue
		}
		r, err := decode(&list.Items[i])
		if err != nil {
			return nil, err
		}
		revisions = append(revisions, r)
	}
	slices.SortFunc(revisions, func(a, b Revision) int { return int(a.Number - b.Number) })
	return revisions, nil
}

// Ensure returns the revision of a content as the newest one: an equal one that is stored, else a new one.
func (h *History) Ensure(ctx context.Context, qw *v1alpha1.QWorker, stored []Revision, content Content) (Revision, error) {
	newest := int64(0)
	if len(stored) > 0 {
		newest = stored[len(stored)-1].Number
	}
	for _, r := range stored {
		if !r.Equal(content) {
			continue
		}
		if r.Number == newest {
			return r, nil
		}
		return h.renumber(ctx, qw, r, newest+1)
	}
	return h.create(ctx, qw, content, newest+1)
}

func (h *History) create(ctx context.Context, qw *v1alpha1.QWorker, content Content, number int64) (Revision, error) {
	for collisions := range maxCollisions {
		object, err := encode(qw, content, number, collisions)
		if err != nil {
			return Revision{}, err
		}
		err = h.Client.Create(ctx, object)
		if apierrors.IsAlreadyExists(err) {
			// The cache may not have shown it yet, or another content has this hash.
			err = h.Live.Get(ctx, client.ObjectKeyFromObject(object), object)
		}
		if err != nil {
			return Revision{}, fmt.Errorf("storing the revision %s, %w", object.Name, err)
		}
		r, err := decode(object)
		if err != nil {
			return Revision{}, err
		}
		if metav1.IsControlledBy(object, qw) && r.Equal(content) {
			return r, nil
		}
	}
	return Revision{}, fmt.Errorf("storing a revision of %s, no free hash after %d tries", qw.Name, maxCollisions)
}

// renumber makes a stored revision the newest again, as a rollback does.
func (h *History) renumber(ctx context.Context, qw *v1alpha1.QWorker, r Revision, number int64) (Revision, error) {
	r.Number = number
	return r, h.patch(ctx, qw, r, fmt.Sprintf(`{"revision":%d}`, number))
}

// MarkProven records that a pod of the revision has been ready.
func (h *History) MarkProven(ctx context.Context, qw *v1alpha1.QWorker, r Revision) error {
	return h.patch(ctx, qw, r, fmt.Sprintf(`{"metadata":{"annotations":{%q:"true"}}}`, annotationProven))
}

// MarkTried records that a pod of the revision is about to be created beside those of another.
func (h *History) MarkTried(ctx context.Context, qw *v1alpha1.QWorker, r Revision) error {
	return h.patch(ctx, qw, r, fmt.Sprintf(`{"metadata":{"annotations":{%q:"true"}}}`, annotationTried))
}

// KeepVerdict records why the rollout to the revision has stopped.
func (h *History) KeepVerdict(ctx context.Context, qw *v1alpha1.QWorker, r Revision, v Verdict) error {
	words, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding the verdict, %w", err)
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{annotationVerdict: string(words)}}})
	if err != nil {
		return fmt.Errorf("encoding the verdict, %w", err)
	}
	return h.patch(ctx, qw, r, string(patch))
}

func (h *History) patch(ctx context.Context, qw *v1alpha1.QWorker, r Revision, patch string) error {
	object := &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Namespace: qw.Namespace, Name: r.name}}
	if err := h.Client.Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		return fmt.Errorf("updating the revision %s, %w", r.name, err)
	}
	return nil
}

// Prune deletes the oldest revisions that are not in use, but for the last ones, as many as are to be kept.
func (h *History) Prune(ctx context.Context, qw *v1alpha1.QWorker, stored []Revision, inUse func(hash string) bool, keep int) error {
	unused := slices.DeleteFunc(slices.Clone(stored), func(r Revision) bool { return inUse(r.Hash) })
	for _, r := range unused[:max(len(unused)-keep, 0)] {
		object := &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Namespace: qw.Namespace, Name: r.name}}
		if err := h.Client.Delete(ctx, object); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting the revision %s, %w", r.name, err)
		}
	}
	return nil
}

// canonical is the content as JSON with its names in order. The API server brings a revision into this form when somebody
// patches it strategically, as the garbage collector does to orphan it, and refuses the patch where that changes the data.
func canonical(content Content) ([]byte, error) {
	data, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // integers stay what they are
	var ordered any
	if err := decoder.Decode(&ordered); err != nil {
		return nil, err
	}
	return json.Marshal(ordered)
}

func encode(qw *v1alpha1.QWorker, content Content, number int64, collisions int) (*appsv1.ControllerRevision, error) {
	hash, err := hash(content, collisions)
	if err != nil {
		return nil, err
	}
	data, err := canonical(content)
	if err != nil {
		return nil, fmt.Errorf("encoding the revision, %w", err)
	}
	return &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       qw.Namespace,
			Name:            NamePrefix(qw) + hash,
			Labels:          ownLabels(qw, hash),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(qw, v1alpha1.GroupVersion.WithKind("QWorker"))},
		},
		Data:     runtime.RawExtension{Raw: data},
		Revision: number,
	}, nil
}

func decode(object *appsv1.ControllerRevision) (Revision, error) {
	r := Revision{
		Hash:   object.Labels[contract.LabelPodSpecHash],
		Number: object.Revision,
		Proven: object.Annotations[annotationProven] == "true",
		Tried:  object.Annotations[annotationTried] == "true",
		name:   object.Name,
	}
	if words := object.Annotations[annotationVerdict]; words != "" && json.Unmarshal([]byte(words), &r.Verdict) != nil {
		r.Verdict = Verdict{} // it only informs, and the next one is written over it
	}
	if err := json.Unmarshal(object.Data.Raw, &r.Content); err != nil {
		return Revision{}, fmt.Errorf("decoding the revision %s, %w", object.Name, err)
	}
	return r, nil
}
