package redis

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
)

// refusals are what a Redis server's errors begin with, and what they mean for a person. The client library
// takes "ERR " off.
var refusals = []struct {
	prefix string
	reason broker.Reason
	remedy string
}{
	{"NOAUTH", broker.ReasonAuthenticationFailed, "the server wants a password; set config.password"},
	{"WRONGPASS", broker.ReasonAuthenticationFailed, "the user name or the password is wrong"},
	{"invalid password", broker.ReasonAuthenticationFailed, "the password is wrong"},
	{"invalid username-password", broker.ReasonAuthenticationFailed, "the user name or the password is wrong"},
	{"AUTH ", broker.ReasonAuthenticationFailed, "the server has no password; remove config.password"},
	{"Client sent AUTH", broker.ReasonAuthenticationFailed, "the server has no password; remove config.password"},
	{"NOPERM", broker.ReasonPermissionDenied, "the user may not do this; extend its ACL"},
	{"WRONGTYPE", broker.ReasonWrongType, "the key is not a list"},
	{"LOADING", broker.ReasonLoading, "the server is loading its data"},
	{"READONLY", broker.ReasonReadOnly, "the server is a read-only replica"},
	{"MASTERDOWN", broker.ReasonLoading, "the server is a replica without its master"},
	{"MISCONF", broker.ReasonReadOnly, "the server refuses writes because it cannot save"},
	{"NOREPLICAS", broker.ReasonReadOnly, "the server refuses writes because it has too few replicas"},
	{"MOVED", broker.ReasonUnknown, "the server is one node of a Redis Cluster, which is not supported; use a server or a proxy that has all keys"},
	{"max number of clients", broker.ReasonConnectionRefused, "the server has as many clients as its maxclients allows"},
}

// words are for the failures of the network, without the ports and addresses that differ from try to try:
// a message that changes with each would be written to the status with each.
var words = map[broker.Reason]string{
	broker.ReasonHostNotFound:      "the host name does not resolve",
	broker.ReasonConnectionRefused: "the connection is refused; is the server running?",
	broker.ReasonTimeout:           "no answer in time",
	broker.ReasonConnectionLost:    "the server closed the connection; if it speaks TLS, set config.tls",
}

// classify puts a failure into words for a person.
func classify(err error, e broker.Endpoint) error {
	if err == nil {
		return nil
	}
	if text, ok := refused(err); ok {
		for _, r := range refusals {
			if strings.HasPrefix(text, r.prefix) {
				return failure(r.reason, err, e, fmt.Sprintf("%s (%s)", r.remedy, said(err, e)))
			}
		}
		return failure(broker.ReasonUnknown, err, e, said(err, e))
	}
	reason := reasonOf(err)
	explained, ok := words[reason]
	if !ok {
		explained = said(err, e)
	}
	return failure(reason, err, e, explained)
}

func failure(reason broker.Reason, err error, e broker.Endpoint, explained string) error {
	return &broker.Error{Reason: reason, Err: err, Message: fmt.Sprintf("redis at %s: %s", e.Address, explained)}
}

// reasonOf classifies what is no answer of a server.
func reasonOf(err error) broker.Reason {
	var (
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		alert       tls.AlertError
	)
	switch {
	case errors.As(err, &certificate), errors.As(err, &record), errors.As(err, &alert):
		return broker.ReasonTLSFailed
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return broker.ReasonConnectionLost
	}
	return broker.ReasonOf(err)
}

// refused returns what the server said, if it was the server that failed the command.
func refused(err error) (string, bool) {
	refusal, ok := rueidis.IsRedisErr(err)
	if !ok {
		return "", false
	}
	return refusal.Error(), true
}

// ofOneKey reports whether an error concerns the key of a command, and not the whole server.
func ofOneKey(err error) bool {
	text, ok := refused(err)
	return ok && (strings.HasPrefix(text, "WRONGTYPE") || strings.HasPrefix(text, "NOPERM") || strings.HasPrefix(text, "EXECABORT"))
}

// said is the first line of an error, without the password: a server or a proxy that does not know a command
// repeats its arguments, and those of HELLO and AUTH have it.
func said(err error, e broker.Endpoint) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	line, _, _ = strings.Cut(line, ", with args beginning with")
	if e.Password != "" {
		line = strings.ReplaceAll(line, e.Password, "***")
	}
	return line
}
