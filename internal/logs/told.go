package logs

import (
	"errors"
	"log/slog"
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

func hasToldError(r slog.Record) (has bool) {
	r.Attrs(func(a slog.Attr) bool {
		err, ok := a.Value.Any().(error)
		has = ok && errors.As(err, new(told))
		return !has
	})
	return has
}
