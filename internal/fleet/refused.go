package fleet

import (
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// CreationRefused reports whether Apply failed because the API server refuses a pod as it is: a LimitRange, a
// ResourceQuota, an admission policy, or the pod's own validation.
func CreationRefused(err error) bool {
	var failed *createError
	return errors.As(err, &failed) && (apierrors.IsForbidden(failed.err) || apierrors.IsInvalid(failed.err))
}
