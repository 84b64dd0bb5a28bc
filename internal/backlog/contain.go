package backlog

import (
	"fmt"

	"github.com/quickube/qscaler/internal/broker"
)

// contain is deferred around each call of a driver: what one broker makes of it is no matter of the others. A panic is an
// error of that broker, and what a broker says in an error can be shown.
func contain(err *error) {
	if panicked := recover(); panicked != nil {
		*err = fmt.Errorf("the driver panicked, which is a mistake in QScaler; please report it: %v", panicked)
	}
	*err = broker.Cleaned(*err)
}
