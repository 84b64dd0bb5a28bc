package beanstalkd

import (
	"fmt"
	"strings"

	"github.com/quickube/qscaler/internal/broker"
)

// longestTube is how many bytes a tube's name may have.
const longestTube = 200

// punctuation is what a tube's name may have beside letters and digits.
const punctuation = "-+/;.$_()"

// checkTube refuses a name that no tube can have. Sent all the same, it could be a command of its own.
func checkTube(name string) error {
	refused := func(why string) error {
		return &broker.Error{Reason: broker.ReasonInvalidQueue, Message: fmt.Sprintf("queue %q is no name of a tube: %s", broker.Words(name, broker.Secret{}), why)}
	}
	switch {
	case name == "":
		return refused("it is empty")
	case len(name) > longestTube:
		return refused(fmt.Sprintf("it has %d bytes, and may have %d", len(name), longestTube))
	case name[0] == '-':
		return refused("it begins with a hyphen")
	case strings.ContainsFunc(name, func(r rune) bool { return !inTube(r) }):
		return refused("it may have letters, digits and " + punctuation)
	}
	return nil
}

func inTube(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(punctuation, r)
}
