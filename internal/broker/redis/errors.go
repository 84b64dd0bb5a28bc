package redis

import (
	"fmt"
	"strings"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
)

// refusals are the error codes of a Redis server, and what they mean for a person.
var refusals = []struct {
	prefix string
	reason broker.Reason
	remedy string
}{
	{"NOAUTH", broker.ReasonAuthenticationFailed, "the server wants a password; set config.password"},
	{"WRONGPASS", broker.ReasonAuthenticationFailed, "the user name or the password is wrong"},
	{"ERR invalid password", broker.ReasonAuthenticationFailed, "the password is wrong"},
	{"ERR AUTH", broker.ReasonAuthenticationFailed, "the server has no password; remove config.password"},
	{"ERR Client sent AUTH", broker.ReasonAuthenticationFailed, "the server has no password; remove config.password"},
	{"NOPERM", broker.ReasonPermissionDenied, "the user may not do this; extend its ACL"},
	{"WRONGTYPE", broker.ReasonWrongType, "the key is not a list"},
	{"LOADING", broker.ReasonLoading, "the server is loading its data"},
	{"READONLY", broker.ReasonReadOnly, "the server is a read-only replica"},
	{"MASTERDOWN", broker.ReasonLoading, "the server is a replica without its master"},
	{"MISCONF", broker.ReasonReadOnly, "the server refuses writes because it cannot save"},
}

// words are for the failures of the network, without the ports and addresses that differ from try to try.
var words = map[broker.Reason]string{
	broker.ReasonHostNotFound:      "the host name does not resolve",
	broker.ReasonConnectionRefused: "the connection is refused; is the server running?",
	broker.ReasonTimeout:           "no answer in time",
}

// classify puts a failure into words for a person. What the server says in its errors never has a password.
func classify(err error, address string) error {
	if err == nil {
		return nil
	}
	text := firstLine(err)
	for _, r := range refusals {
		if strings.Contains(text, r.prefix) {
			return &broker.Error{Reason: r.reason, Err: err, Message: fmt.Sprintf("redis at %s: %s (%s)", address, r.remedy, text)}
		}
	}
	reason := broker.ReasonOf(err)
	explained, ok := words[reason]
	if !ok {
		explained = text
	}
	return &broker.Error{Reason: reason, Err: err, Message: fmt.Sprintf("redis at %s: %s", address, explained)}
}

// ofOneKey reports whether an error concerns the key of a command, and not the whole server.
func ofOneKey(err error) bool {
	refusal, ok := rueidis.IsRedisErr(err)
	if !ok {
		return false
	}
	text := refusal.Error()
	return strings.HasPrefix(text, "WRONGTYPE") || strings.HasPrefix(text, "NOPERM") || strings.HasPrefix(text, "EXECABORT")
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
