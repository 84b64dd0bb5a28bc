package fleet

import (
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/quickube/qscaler/internal/backoff"
)

var (
	// afterRefusal is the pause after the API server has refused a write: somebody has to change something.
	afterRefusal = backoff.Policy{First: 100 * time.Millisecond, Longest: time.Minute}
	// afterFailure is the pause after a write that failed otherwise, as in an outage. An outage passes by itself, and
	// everything is to go on at once after it.
	afterFailure = backoff.Policy{First: 100 * time.Millisecond, Longest: 5 * time.Second}
)

// WriteBackoff is how long a write that failed is held back.
func WriteBackoff(err error) backoff.Policy {
	if Refused(err) {
		return afterRefusal
	}
	return afterFailure
}

// Refused reports whether the API server refuses a write as it is: nothing but a change of something makes it pass. An
// overload, a time-out, or a webhook that cannot be reached says nothing of the write.
func Refused(err error) bool {
	// A webhook that denies chooses the status code, 400 where it chooses none.
	denied := strings.Contains(err.Error(), "denied the request")
	return denied || apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)
}
