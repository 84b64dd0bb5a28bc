package simulation

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// kind is a plural, as in a URL.
type kind string

const (
	pods          kind = "pods"
	nodes         kind = "nodes"
	revisions     kind = "controllerrevisions"
	qworkers      kind = "qworkers"
	scalerConfigs kind = "scalerconfigs"
)

var kinds = []kind{pods, nodes, revisions, qworkers, scalerConfigs}

func kindOf(object any) kind {
	switch object := object.(type) {
	case *corev1.Pod, *corev1.PodList:
		return pods
	case *corev1.Node:
		return nodes
	case *appsv1.ControllerRevision, *appsv1.ControllerRevisionList:
		return revisions
	case *v1alpha1.QWorker, *v1alpha1.QWorkerList:
		return qworkers
	case *v1alpha1.ScalerConfig:
		return scalerConfigs
	case *metav1.PartialObjectMetadata:
		return kindNamed(object.Kind)
	case *metav1.PartialObjectMetadataList:
		return kindNamed(strings.TrimSuffix(object.Kind, "List"))
	}
	panic(fmt.Sprintf("%T is not simulated", object))
}

// kindNamed is one of those of which the operator asks for the metadata alone.
func kindNamed(name string) kind {
	if name == "ControllerRevision" {
		return revisions
	}
	return pods
}

func (k kind) resource() schema.GroupResource { return schema.GroupResource{Resource: string(k)} }

// change is one event of a watch. The object is nil once it is gone.
type change struct {
	at     time.Time
	name   string
	object client.Object
}

// apiServer keeps objects as a real one does, of one namespace. An object that is stored is never changed, only
// replaced, so that it may be shared.
type apiServer struct {
	mu      sync.Mutex
	version int
	uids    int
	objects map[kind]map[string]client.Object
	// log has what a watch has yet to tell.
	log map[kind][]change
}

func newAPIServer() *apiServer {
	s := &apiServer{objects: map[kind]map[string]client.Object{}, log: map[kind][]change{}}
	for _, k := range kinds {
		s.objects[k] = map[string]client.Object{}
	}
	return s
}

// takeLog returns the first part of what a watch has yet to tell.
func (s *apiServer) takeLog(k kind, share float64) []change {
	s.mu.Lock()
	defer s.mu.Unlock()
	// What was written at once, in parallel, has an order that is not the same in each run.
	slices.SortStableFunc(s.log[k], func(a, b change) int {
		return cmp.Or(a.at.Compare(b.at), strings.Compare(a.name, b.name))
	})
	n := int(share * float64(len(s.log[k])))
	told := s.log[k][:n:n]
	s.log[k] = s.log[k][n:]
	return told
}

// forgetLog is for a watch that begins anew.
func (s *apiServer) forgetLog() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.log)
}

func (s *apiServer) get(k kind, name string) client.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.objects[k][name]
}

// list has the objects of a kind by name.
func (s *apiServer) list(k kind) []client.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return byName(s.objects[k])
}

func byName(objects map[string]client.Object) []client.Object {
	sorted := make([]client.Object, 0, len(objects))
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		sorted = append(sorted, objects[name])
	}
	return sorted
}

// put stores a new version. The lock is held.
func (s *apiServer) put(object client.Object) {
	s.version++
	object.SetResourceVersion(strconv.Itoa(s.version))
	k := kindOf(object)
	s.objects[k][object.GetName()] = object
	s.log[k] = append(s.log[k], change{time.Now(), object.GetName(), object})
}

// remove takes an object away. The lock is held.
func (s *apiServer) remove(object client.Object) {
	s.version++
	k := kindOf(object)
	delete(s.objects[k], object.GetName())
	s.log[k] = append(s.log[k], change{time.Now(), object.GetName(), nil})
}

// create stores a copy and returns it.
func (s *apiServer) create(object client.Object) (client.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := kindOf(object)
	if s.objects[k][object.GetName()] != nil {
		return nil, apierrors.NewAlreadyExists(k.resource(), object.GetName())
	}
	stored := object.DeepCopyObject().(client.Object)
	s.uids++
	stored.SetUID(types.UID(fmt.Sprintf("uid-%d", s.uids)))
	stored.SetCreationTimestamp(metav1.Now().Rfc3339Copy())
	stored.SetGeneration(1)
	if pod, ok := stored.(*corev1.Pod); ok {
		pod.Status = corev1.PodStatus{Phase: corev1.PodPending}
	}
	s.put(stored)
	return stored, nil
}

// replace stores an object as somebody other than the operator makes it.
func (s *apiServer) replace(object client.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(object)
}

// take removes an object as somebody other than the operator does, at once.
func (s *apiServer) take(object client.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.objects[kindOf(object)][object.GetName()] != nil {
		s.remove(object)
	}
}

// patch applies a merge patch to an object or its status.
func (s *apiServer) patch(k kind, name string, patch []byte, status bool) (client.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.objects[k][name]
	if old == nil {
		return nil, apierrors.NewNotFound(k.resource(), name)
	}
	var head struct {
		Metadata struct {
			UID             types.UID `json:"uid"`
			ResourceVersion string    `json:"resourceVersion"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(patch, &head); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	conflict := head.Metadata.UID != "" && head.Metadata.UID != old.GetUID() ||
		head.Metadata.ResourceVersion != "" && head.Metadata.ResourceVersion != old.GetResourceVersion()
	if conflict {
		return nil, apierrors.NewConflict(k.resource(), name, fmt.Errorf("the object has been modified"))
	}
	next, err := merged(old, patch)
	if err != nil {
		return nil, err
	}
	next.SetResourceVersion(old.GetResourceVersion())
	if q, ok := next.(*v1alpha1.QWorker); ok {
		next = updated(old.(*v1alpha1.QWorker), q, status)
	}
	if equality.Semantic.DeepEqual(old, next) {
		return old, nil
	}
	s.put(next)
	if next.GetDeletionTimestamp() != nil && len(next.GetFinalizers()) == 0 && k != pods {
		s.remove(next)
	}
	return next, nil
}

// updated is a QWorker after a write to itself or to its status.
func updated(old, next *v1alpha1.QWorker, status bool) *v1alpha1.QWorker {
	if status {
		q := old.DeepCopy()
		q.Status = next.Status
		return q
	}
	next.Status = old.Status
	if !equality.Semantic.DeepEqual(old.Spec, next.Spec) {
		next.Generation++
	}
	return next
}

// merged is an object after a merge patch (RFC 7386).
func merged(old client.Object, patch []byte) (client.Object, error) {
	var document, changes map[string]any
	data, err := json.Marshal(old)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &document); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(patch, &changes); err != nil {
		return nil, err
	}
	if data, err = json.Marshal(merge(document, changes)); err != nil {
		return nil, err
	}
	next := reflect.New(reflect.TypeOf(old).Elem()).Interface().(client.Object)
	return next, json.Unmarshal(data, next)
}

func merge(document, patch map[string]any) map[string]any {
	if document == nil {
		document = map[string]any{}
	}
	for key, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(document, key)
		case map[string]any:
			inner, _ := document[key].(map[string]any)
			document[key] = merge(inner, value)
		default:
			document[key] = value
		}
	}
	return document
}

// delete begins an object's deletion, and ends it where there is nothing to wait for.
func (s *apiServer) delete(k kind, name string, o client.DeleteOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.objects[k][name]
	if old == nil {
		return apierrors.NewNotFound(k.resource(), name)
	}
	if p := o.Preconditions; p != nil {
		if (p.UID != nil && *p.UID != old.GetUID()) || (p.ResourceVersion != nil && *p.ResourceVersion != old.GetResourceVersion()) {
			return apierrors.NewConflict(k.resource(), name, fmt.Errorf("the precondition is not met"))
		}
	}
	next := old.DeepCopyObject().(client.Object)
	if pod, ok := next.(*corev1.Pod); ok {
		return s.deletePod(pod, o)
	}
	if len(next.GetFinalizers()) == 0 {
		s.remove(old)
		return nil
	}
	if next.GetDeletionTimestamp() == nil {
		next.SetDeletionTimestamp(ptr.To(metav1.Now().Rfc3339Copy()))
		next.SetGeneration(next.GetGeneration() + 1)
		s.put(next)
	}
	return nil
}

// deletePod gives a pod its grace period, unless nothing of it runs or ever ran. A second deletion can only
// shorten it.
func (s *apiServer) deletePod(pod *corev1.Pod, o client.DeleteOptions) error {
	grace := ptr.Deref(o.GracePeriodSeconds, ptr.Deref(pod.Spec.TerminationGracePeriodSeconds, 30))
	over := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	if pod.Spec.NodeName == "" || over || grace == 0 {
		s.remove(pod)
		return nil
	}
	end := metav1.NewTime(time.Now().Add(time.Duration(grace) * time.Second)).Rfc3339Copy()
	if pod.DeletionTimestamp == nil || end.Before(pod.DeletionTimestamp) {
		pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &end, &grace
		s.put(pod)
	}
	return nil
}
