package revision

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/ownwrites"
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
	// SeenAtTask is true once the broker has shown a pod of the revision with a task in its hands. Who holds none is known
	// to be idle only then: before, its workers may take their tasks in a way that the broker does not show.
	SeenAtTask bool
	// Stop is why the last rollout to the revision stopped; the zero Stop is none.
	Stop Stop
	// Config has the fingerprints of the Secrets and ConfigMaps that its pods are made with, by name, as far as they are known.
	Config map[string]string

	name string
	// bytes is the size of the content as it is stored.
	bytes int
	// stripped is true where the pod spec is not there: Complete reads it.
	stripped bool
}

// Stop is why a rollout stopped. It is kept with the revision because the pods that showed it do not stay: a fleet
// that is scaled to none keeps no canary.
type Stop struct {
	// Generation is that of the QWorker when it was found. Under another spec it may not hold.
	Generation int64  `json:"generation"`
	Reason     string `json:"reason"`
	Message    string `json:"message"`
}

const (
	annotationProven = "quickube.com/proven"
	annotationTried  = "quickube.com/tried"
	// annotationSeenAtTask marks a revision whose workers are known to show their tasks.
	annotationSeenAtTask = "quickube.com/seen-at-task"
	// annotationStop has a Stop as JSON.
	annotationStop = "quickube.com/stop"
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
	client  client.Client
	live    client.Reader
	clock   clock.PassiveClock
	overlay *ownwrites.Overlay[types.UID, *appsv1.ControllerRevision]

	mu sync.Mutex
	// contents has what the cache lacks of the revisions that are needed, by QWorker and name.
	contents map[types.UID]map[string]Content
	// unequal has, by QWorker, the revisions that were read and are not those of its content.
	unequal map[types.UID]unequal
	// keptBytes is the constant of this name; tests have less.
	keptBytes int
}

// revisionWrite is a revision as this process last wrote it.
type revisionWrite = ownwrites.Write[*appsv1.ControllerRevision]

// NewHistory returns a History. The client reads from a cache that has the index of OwnerIndex, and writes to the API
// server; live reads from the API server.
func NewHistory(c client.Client, live client.Reader, clk clock.PassiveClock) *History {
	return &History{
		client: c, live: live, clock: clk, overlay: ownwrites.New[types.UID, *appsv1.ControllerRevision](),
		contents: map[types.UID]map[string]Content{}, unequal: map[types.UID]unequal{},
		keptBytes: keptBytes,
	}
}

// Forget drops what is remembered of a QWorker that no longer exists.
func (h *History) Forget(qworker types.UID) {
	h.overlay.Forget(qworker)
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.contents, qworker)
	delete(h.unequal, qworker)
}

// List returns the stored revisions of a QWorker, oldest first, as the cache shows them and as this process has written
// them since. Large ones may lack their pod spec until Complete.
func (h *History) List(ctx context.Context, qw *v1alpha1.QWorker) ([]Revision, error) {
	if err := h.verify(ctx, qw); err != nil {
		return nil, err
	}
	var list appsv1.ControllerRevisionList
	err := h.client.List(ctx, &list, client.InNamespace(qw.Namespace),
		client.MatchingFields{OwnerIndex: string(qw.UID)}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("listing the revisions, %w", err)
	}
	cached := make([]*appsv1.ControllerRevision, len(list.Items))
	for i := range list.Items {
		cached[i] = &list.Items[i]
	}
	objects := h.overlay.Merge(qw.UID, cached)
	revisions := make([]Revision, 0, len(objects))
	for _, object := range objects {
		if !metav1.IsControlledBy(object, qw) {
			continue
		}
		r, err := decode(object)
		if err != nil {
			return nil, err
		}
		revisions = append(revisions, r)
	}
	slices.SortFunc(revisions, func(a, b Revision) int { return int(a.Number - b.Number) })
	return revisions, nil
}

// verify asks the API server about revisions that this process has stored and the cache has not shown for long: somebody
// may have deleted them.
func (h *History) verify(ctx context.Context, qw *v1alpha1.QWorker) error {
	for _, w := range h.overlay.Doubtful(qw.UID, h.clock.Now()) {
		var object appsv1.ControllerRevision
		err := h.live.Get(ctx, client.ObjectKeyFromObject(w.Object), &object)
		switch {
		case apierrors.IsNotFound(err):
			h.overlay.Drop(qw.UID, w.Object.Name)
		case err != nil:
			return fmt.Errorf("asking for the revision %s, %w", w.Object.Name, err)
		default:
			h.overlay.Record(qw.UID, revisionWrite{Object: &object, Created: true, At: h.clock.Now()})
		}
	}
	return nil
}

// Ensure returns the revision of a content as the newest one: an equal one that is stored, else a new one. One whose pods
// were made with other Secrets and ConfigMaps is not equal where changes of those are followed.
func (h *History) Ensure(ctx context.Context, qw *v1alpha1.QWorker, stored []Revision, content Content, config Config) (Revision, error) {
	newest := int64(0)
	if len(stored) > 0 {
		newest = stored[len(stored)-1].Number
	}
	for _, r := range slices.Backward(stored) { // mostly it is the newest, and nothing has to be read
		if len(r.Changed(config)) > 0 {
			continue
		}
		if same, err := h.equal(ctx, qw, r, content); err != nil {
			return Revision{}, err
		} else if !same {
			continue
		}
		if r.stripped {
			r.Content, r.stripped = content, false
		}
		r, err := h.adopt(ctx, qw, r, config)
		if err != nil || r.Number == newest {
			return r, err
		}
		return h.renumber(ctx, qw, r, newest+1)
	}
	return h.create(ctx, qw, content, config, newest+1)
}

func (h *History) create(ctx context.Context, qw *v1alpha1.QWorker, content Content, config Config, number int64) (Revision, error) {
	for collisions := range maxCollisions {
		object, err := encode(qw, content, config, number, collisions)
		if err != nil {
			return Revision{}, err
		}
		err = h.client.Create(ctx, object)
		if apierrors.IsAlreadyExists(err) {
			// The cache may not have shown it yet, or another content has this hash.
			err = h.live.Get(ctx, client.ObjectKeyFromObject(object), object)
		}
		if err != nil {
			return Revision{}, fmt.Errorf("storing the revision %s, %w", object.Name, err)
		}
		r, err := decode(object)
		if err != nil {
			return Revision{}, err
		}
		if metav1.IsControlledBy(object, qw) && r.Equal(content) && len(r.Changed(config)) == 0 {
			h.overlay.Record(qw.UID, revisionWrite{Object: object, Created: true, At: h.clock.Now()})
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

// MarkSeenAtTask records that a pod of the revision has been seen to hold a task.
func (h *History) MarkSeenAtTask(ctx context.Context, qw *v1alpha1.QWorker, r Revision) error {
	return h.patch(ctx, qw, r, fmt.Sprintf(`{"metadata":{"annotations":{%q:"true"}}}`, annotationSeenAtTask))
}

// KeepStop records why the rollout to the revision has stopped.
func (h *History) KeepStop(ctx context.Context, qw *v1alpha1.QWorker, r Revision, v Stop) error {
	words, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding why the rollout stopped, %w", err)
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{annotationStop: string(words)}}})
	if err != nil {
		return fmt.Errorf("encoding why the rollout stopped, %w", err)
	}
	return h.patch(ctx, qw, r, string(patch))
}

func (h *History) patch(ctx context.Context, qw *v1alpha1.QWorker, r Revision, patch string) error {
	object := &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Namespace: qw.Namespace, Name: r.name}}
	if err := h.client.Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		return fmt.Errorf("updating the revision %s, %w", r.name, err)
	}
	h.overlay.Record(qw.UID, revisionWrite{Object: object, At: h.clock.Now()})
	return nil
}

// keptBytes bounds the history of revisions that are not in use by their size. The last one stays, however large.
const keptBytes = 2 << 20

// Prune deletes the oldest revisions that are not in use, and keeps as many of the last as it is told, and no more than
// keptBytes of them.
func (h *History) Prune(ctx context.Context, qw *v1alpha1.QWorker, stored []Revision, inUse func(hash string) bool, keep int) error {
	unused := slices.DeleteFunc(slices.Clone(stored), func(r Revision) bool { return inUse(r.Hash) })
	for _, r := range unused[:max(len(unused)-min(keep, fitting(unused, h.keptBytes)), 0)] {
		object := &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Namespace: qw.Namespace, Name: r.name}}
		if err := h.client.Delete(ctx, object); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting the revision %s, %w", r.name, err)
		}
	}
	return nil
}

// fitting is how many of the last revisions have room in kept bytes together, at least one.
func fitting(revisions []Revision, kept int) int {
	n, bytes := 0, 0
	for _, r := range slices.Backward(revisions) {
		if bytes += r.bytes; n > 0 && bytes > kept {
			break
		}
		n++
	}
	return n
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
		return nil, fmt.Errorf("putting its names in order, %w", err)
	}
	return json.Marshal(ordered)
}

func encode(qw *v1alpha1.QWorker, content Content, config Config, number int64, collisions int) (*appsv1.ControllerRevision, error) {
	hash, err := hash(content, config.Fingerprints, collisions)
	if err != nil {
		return nil, err
	}
	data, err := canonical(content)
	if err != nil {
		return nil, fmt.Errorf("encoding the revision, %w", err)
	}
	object := &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       qw.Namespace,
			Name:            NamePrefix(qw) + hash,
			Labels:          ownLabels(qw, hash),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(qw, v1alpha1.GroupVersion.WithKind("QWorker"))},
		},
		Data:     runtime.RawExtension{Raw: data},
		Revision: number,
	}
	if len(config.Fingerprints) > 0 {
		object.Annotations = map[string]string{annotationConfig: textOf(config.Fingerprints)}
	}
	return object, nil
}

func decode(object *appsv1.ControllerRevision) (Revision, error) {
	r := Revision{
		Hash:   object.Labels[contract.LabelPodSpecHash],
		Number: object.Revision,
		Proven: object.Annotations[annotationProven] == "true",
		Tried:  object.Annotations[annotationTried] == "true",
		name:   object.Name,
		bytes:  len(object.Data.Raw),

		SeenAtTask: object.Annotations[annotationSeenAtTask] == "true",
		Config:     configOf(object.Annotations[annotationConfig]),
	}
	if size, stripped := object.Annotations[annotationStripped]; stripped {
		r.stripped = true
		r.bytes, _ = strconv.Atoi(size) // it is ours
	}
	if words := object.Annotations[annotationStop]; words != "" && json.Unmarshal([]byte(words), &r.Stop) != nil {
		r.Stop = Stop{} // it only informs, and the next one is written over it
	}
	if err := json.Unmarshal(object.Data.Raw, &r.Content); err != nil {
		return Revision{}, fmt.Errorf("decoding the revision %s, %w", object.Name, err)
	}
	if len(r.Newer) > 0 {
		if err := r.learn(); err != nil {
			return Revision{}, fmt.Errorf("decoding the revision %s, %w", object.Name, err)
		}
	}
	return r, nil
}
