package rabbitmq

import (
	"fmt"
	"strings"

	"github.com/quickube/qscaler/internal/broker"
)

// longestName is how many bytes the name of a queue may have.
const longestName = 255

// checkQueue refuses a name that no queue can have.
func checkQueue(name string) error {
	refused := func(why string) error {
		return &broker.Error{Reason: broker.ReasonInvalidQueue, Message: fmt.Sprintf("queue %q is no name of a queue: %s", broker.Words(name, broker.Secret{}), why)}
	}
	switch {
	case name == "":
		return refused("it is empty")
	case len(name) > longestName:
		return refused(fmt.Sprintf("it has %d bytes, and may have %d", len(name), longestName))
	case strings.ContainsAny(name, "\r\n"): // the server leaves them out, and means another queue
		return refused("it has a line break")
	}
	return nil
}
