package fleet

import (
	"errors"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// CreateError says why a pod could not be created, without its name: each try has another, and the same
// refusal is to be the same message.
type CreateError struct {
	// Revision is the hash of the pod's revision.
	Revision string

	pod string
	err error
}

func (e *CreateError) Error() string {
	return "cannot create a pod: " + strings.ReplaceAll(e.err.Error(), e.pod, "NAME")
}

// NewCreateError is a pod's, of a revision.
func NewCreateError(revision, pod string, err error) *CreateError {
	return &CreateError{Revision: revision, pod: pod, err: err}
}

func (e *CreateError) Unwrap() error { return e.err }

// SplitCreateErrors tells apart what Apply returns: why pods could not be created, by revision, and the rest.
func SplitCreateErrors(err error) (refusals map[string]error, rest error) {
	refusals = map[string]error{}
	var others []error
	for _, e := range flatten(err) {
		var refused *CreateError
		if errors.As(e, &refused) {
			refusals[refused.Revision] = refused
			continue
		}
		others = append(others, e)
	}
	return refusals, errors.Join(others...)
}

func flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var flat []error
	for _, e := range joined.Unwrap() {
		flat = append(flat, flatten(e)...)
	}
	return flat
}

// IsQuota reports whether a write was refused because a ResourceQuota is used up. That passes: it says nothing
// of the revision. The API server has no reason of its own for it, only these words.
func IsQuota(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota")
}

// IsAboutRights reports whether a write was refused because the operator has no right to it, whatever is written. The API
// server has no reason of its own for it, only these words.
func IsAboutRights(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), ` is forbidden: User "`)
}

// PodRefused reports whether Apply failed because of what is in the pod, or because of a rule for pods: nothing but a
// change of one of them helps. A quota, a right that is missing, or a namespace that is being deleted says nothing of the
// pod.
func PodRefused(err error) bool {
	return CreationRefused(err) && !IsQuota(err) && !IsAboutRights(err) && !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
}

// CreationRefused reports whether Apply failed because the API server refuses a pod as it is: a LimitRange, a
// ResourceQuota, an admission policy or webhook, or the pod's own validation. All else, such as a time-out or a
// webhook that cannot be reached, says nothing of the pod.
func CreationRefused(err error) bool {
	var failed *CreateError
	return errors.As(err, &failed) && Refused(failed.err)
}

// SplitSizeRefusals tells apart what Apply returns: refusals of pods that can be about what they request, a
// LimitRange, a ResourceQuota, an admission policy or validation, and the rest.
func SplitSizeRefusals(err error) (refusals []*CreateError, rest error) {
	var others []error
	for _, e := range flatten(err) {
		var failed *CreateError
		if errors.As(e, &failed) && failed.aboutSize() {
			refusals = append(refusals, failed)
			continue
		}
		others = append(others, e)
	}
	return refusals, errors.Join(others...)
}

// aboutSize reports whether the API server may have refused the pod for what it requests. It has no reason of
// its own for that: the words name a resource.
func (e *CreateError) aboutSize() bool {
	if !apierrors.IsForbidden(e.err) && !apierrors.IsInvalid(e.err) {
		return false
	}
	words := strings.ToLower(e.Error())
	if IsQuota(e.err) { // behind the quota's name: what exceeds it, as pods=1, used: pods=10
		_, words, _ = strings.Cut(words, "requested: ")
	}
	return strings.Contains(words, "cpu") || strings.Contains(words, "memory") || strings.Contains(words, "resources")
}
