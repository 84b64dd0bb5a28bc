package broker

import (
	"context"
	"errors"
	"net"
	"syscall"
)

// Reason is a class of failures, as the reason of a condition.
type Reason string

// The classes of failures.
const (
	ReasonAuthenticationFailed Reason = "AuthenticationFailed"
	ReasonPermissionDenied     Reason = "PermissionDenied"
	ReasonHostNotFound         Reason = "HostNotFound"
	ReasonConnectionRefused    Reason = "ConnectionRefused"
	ReasonConnectionLost       Reason = "ConnectionLost"
	ReasonTLSFailed            Reason = "TLSFailed"
	ReasonTimeout              Reason = "Timeout"
	ReasonLoading              Reason = "Loading"
	ReasonReadOnly             Reason = "ReadOnly"
	ReasonWrongType            Reason = "WrongType"
	ReasonInvalidQueue         Reason = "InvalidQueue"
	ReasonQueueNotFound        Reason = "QueueNotFound"
	ReasonInvalidGroup         Reason = "InvalidConsumerGroup"
	ReasonVHostNotFound        Reason = "VHostNotFound"
	ReasonMasterNotFound       Reason = "MasterNotFound"
	ReasonClusterDown          Reason = "ClusterDown"
	ReasonSlotMoving           Reason = "SlotMoving"
	ReasonHostNotAllowed       Reason = "HostNotAllowed"
	ReasonNotFound             Reason = "NotFound"
	ReasonOtherOperator        Reason = "OtherOperator"
	ReasonUnknown              Reason = "BrokerError"
)

// Error is a failure of a broker in words for a person. It never has a password in it.
type Error struct {
	Reason  Reason
	Message string
	Err     error
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Unwrap() error { return e.Err }

// FailureReason lets ReasonOf find the class.
func (e *Error) FailureReason() Reason { return e.Reason }

// ReasonOf is the class of a failure: the one that it names itself, as an Error does, else what the network
// says.
func ReasonOf(err error) Reason {
	var (
		classified interface {
			error
			FailureReason() Reason
		}
		resolve *net.DNSError
		timeout net.Error
	)
	switch {
	case errors.As(err, &classified):
		return classified.FailureReason()
	case errors.As(err, &resolve):
		return ReasonHostNotFound
	case errors.Is(err, syscall.ECONNREFUSED):
		return ReasonConnectionRefused
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return ReasonTimeout
	default:
		return ReasonUnknown
	}
}

// IsUnanswered reports whether the broker has given no answer, be it a refusal.
func IsUnanswered(err error) bool {
	if err == nil {
		return false
	}
	switch ReasonOf(err) {
	case ReasonTimeout, ReasonConnectionLost, ReasonConnectionRefused, ReasonHostNotFound:
		return true
	default:
		return false
	}
}

// Lasting reports whether a failure stays until a person changes something, by its own word: a Secret that is
// not there, and not an API server that did not answer.
func Lasting(err error) bool {
	var failure interface {
		error
		Lasting() bool
	}
	return errors.As(err, &failure) && failure.Lasting()
}
