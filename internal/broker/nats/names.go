package nats

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/quickube/qscaler/internal/broker"
)

// longestName is how many bytes the name of a stream or a consumer may have.
const longestName = 255

// notInName is what the server refuses in a name, beside white space.
const notInName = `.*>/\`

// checkName says why no stream, or no consumer, can have a name; "" where one can. Sent all the same, it could be another
// subject.
func checkName(name string) string {
	switch {
	case name == "":
		return "it is empty"
	case len(name) > longestName:
		return fmt.Sprintf("it has %d bytes, and may have %d", len(name), longestName)
	case !utf8.ValidString(name), strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }):
		return "it has white space, or what cannot be printed"
	case strings.ContainsAny(name, notInName):
		return "it may not have any of " + notInName
	}
	return ""
}

// check refuses a query whose names cannot be.
func check(q broker.Query) error {
	if why := checkName(q.Queue); why != "" {
		return invalid(broker.ReasonInvalidQueue, "queue %q is no name of a stream: %s", q.Queue, why)
	}
	if err := broker.NeedsGroup(q, "a stream is read by its consumers"); err != nil {
		return err
	}
	if why := checkName(q.Group); why != "" {
		return invalid(broker.ReasonInvalidGroup, "scaleConfig.consumerGroup %q is no name of a consumer: %s", q.Group, why)
	}
	return nil
}

func invalid(reason broker.Reason, format, name, why string) error {
	return &broker.Error{Reason: reason, Message: fmt.Sprintf(format, broker.Words(name, broker.Secret{}), why)}
}

// longestSubject is how many bytes a subject may have that is subscribed to. A server takes 4096 in a line.
const longestSubject = 1 << 10

// isSubject reports whether a text can be a subject: words with dots between them.
func isSubject(s string) bool {
	if s == "" || len(s) > longestSubject || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
		return false
	}
	for word := range strings.SplitSeq(s, ".") {
		if word == "" {
			return false
		}
	}
	return true
}
