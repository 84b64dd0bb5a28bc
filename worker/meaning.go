package worker

import (
	"errors"
	"runtime/debug"
)

// meaning is what a handler's error says of its task.
type meaning struct {
	handBack, timeout, permanent bool
	after                        *retryAfterError
	panicked                     *PanicError
}

// meaningOf reads an error, once: its methods are the handler's, too, and those of a nil pointer of an error's type
// panic. An error that panics is replaced by the panic.
func meaningOf(err error) (m meaning, sound error) {
	if err == nil {
		return m, nil
	}
	defer func() {
		if p := recover(); p != nil {
			panicked := &PanicError{Value: p, Stack: debug.Stack()}
			m, sound = meaning{panicked: panicked}, panicked
		}
	}()
	var permanent *permanentError
	m.handBack = errors.Is(err, ErrHandBack)
	m.timeout = errors.Is(err, ErrTimeout)
	m.permanent = errors.As(err, &permanent)
	errors.As(err, &m.after)
	errors.As(err, &m.panicked)
	return m, err
}
