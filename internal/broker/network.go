package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
)

// words are for the failures of the network, without the ports and addresses that differ from try to try:
// a message that changes with each would be written to the status with each.
var words = map[Reason]string{
	ReasonHostNotFound:      "the host name does not resolve",
	ReasonConnectionRefused: "the connection is refused; is the server running?",
	ReasonTimeout:           "no answer in time",
	ReasonConnectionLost:    "the server closed the connection",
}

// Fail is a failure of the broker at a place, such as "redis at host:port", explained.
func Fail(reason Reason, at, explained string, err error) error {
	return &Error{Reason: reason, Err: err, Message: fmt.Sprintf("%s: %s", at, explained)}
}

// Unreachable is a failure of the way to the broker at a place, which is spoken to by TLS, or plainly where encrypted is
// nil.
func Unreachable(at string, err error, encrypted *tls.Config, secret Secret) error {
	reason := networkReason(err)
	explained, ok := words[reason]
	if !ok {
		explained = ErrorWords(err.Error(), secret)
	}
	// A server that wants a certificate ends the connection after the handshake. Whether its alert is read, or the
	// connection is found closed, is luck.
	switch broken := reason == ReasonConnectionLost; {
	case broken && encrypted == nil:
		explained += "; if it speaks TLS, set config.tls"
	case encrypted != nil && (reason == ReasonTimeout || errors.As(err, new(tls.RecordHeaderError))): // it waits for a line, or answers one
		explained += "; if the server does not speak TLS, remove config.tls"
	case refusedTLS(err) && encrypted != nil && len(encrypted.Certificates) > 0:
		explained += "; the server refuses the certificate of config.tls.clientCertSecret: an authority that it trusts must have signed it, and it must not have expired"
	case refusedTLS(err), broken && len(encrypted.Certificates) == 0:
		explained += "; if it wants a client certificate, set config.tls.clientCertSecret"
	}
	return Fail(reason, at, explained, err)
}

// networkReason classifies what is no answer of a server.
func networkReason(err error) Reason {
	var (
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
	)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return ReasonTimeout
	case errors.As(err, &certificate), errors.As(err, &record), refusedTLS(err):
		return ReasonTLSFailed
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return ReasonConnectionLost
	}
	return ReasonOf(err)
}

// refusedTLS reports whether the server has ended the handshake with an alert.
func refusedTLS(err error) bool {
	var alert *net.OpError
	return errors.As(err, &alert) && alert.Op == "remote error"
}
