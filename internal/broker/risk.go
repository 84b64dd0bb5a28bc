package broker

import "context"

// Classes of risks.
const (
	ReasonMayEvict      Reason = "MayEvict"
	ReasonNotPersistent Reason = "NotPersistent"
	ReasonTooOld        Reason = "TooOld"
)

// Risk is what of a server's version or settings may lose tasks, or keep workers from taking them.
type Risk struct {
	Reason Reason
	// Message says what may happen, and what to do about it.
	Message string
}

// Inspector is a driver that knows which versions and settings of its broker are risks.
type Inspector interface {
	// Inspect returns the risks, the worst first. What the server does not say, or not to this user, is no risk. An
	// error means that it did not answer.
	Inspect(ctx context.Context) ([]Risk, error)
}
