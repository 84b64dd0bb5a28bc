package logs

import (
	"errors"
	"log/slog"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// told is an error of which people were told otherwise.
type told struct{ error }

func (e told) Unwrap() error { return e.error }

// Told marks an error of which a condition and its line in the log have told: the library that tries again logs it at
// each try.
func Told(err error) error {
	if err == nil {
		return nil
	}
	return told{err}
}

// isNoTrouble says that one of the record's errors was told otherwise, or is that its namespace is being deleted: then
// the API server takes nothing new there, also no event, and nobody can do anything about it.
func isNoTrouble(r slog.Record) (is bool) {
	r.Attrs(func(a slog.Attr) bool {
		err, ok := a.Value.Any().(error)
		is = ok && (errors.As(err, new(told)) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause))
		return !is
	})
	return is
}
