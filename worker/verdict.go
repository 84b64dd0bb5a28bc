package worker

import (
	"errors"
	"runtime/debug"
)

// verdict is what a handler's error says of its task.
type verdict struct {
	handBack, timeout, permanent bool
	after                        *retryAfterError
	panicked                     *PanicError
}

// judge reads an error, once: its methods are the handler's, too, and those of a nil pointer of an error's type
// panic. What cannot be read is replaced by what it panicked with.
func judge(err error) (v verdict, sound error) {
	if err == nil {
		return v, nil
	}
	defer func() {
		if p := recover(); p != nil {
			panicked := &PanicError{Value: p, Stack: debug.Stack()}
			v, sound = verdict{panicked: panicked}, panicked
		}
	}()
	var permanent *permanentError
	v.handBack = errors.Is(err, ErrHandBack)
	v.timeout = errors.Is(err, ErrTimeout)
	v.permanent = errors.As(err, &permanent)
	errors.As(err, &v.after)
	errors.As(err, &v.panicked)
	return v, err
}
