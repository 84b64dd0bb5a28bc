// Package setback holds back what has failed: it is tried again after a pause that doubles, however often somebody
// asks for it meanwhile.
package setback

import (
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

const (
	// shortest is the pause after the first failure.
	shortest = 100 * time.Millisecond
	// longestRefused is the longest pause after the API server has refused a write: somebody has to change something.
	longestRefused = time.Minute
	// longestFailed is that after a write that failed otherwise, as in an outage: that passes by itself, and once it
	// has all is to go on at once.
	longestFailed = 5 * time.Second
)

// Setback is why something failed, and when it is tried again. The zero value is that of what has not failed.
type Setback struct {
	Err   error
	Until time.Time
	pause time.Duration
}

// Again is the setback of what has failed once more.
func (s Setback) Again(now time.Time, err error) Setback {
	longest := longestFailed
	if Refused(err) {
		longest = longestRefused
	}
	pause := min(max(2*s.pause, shortest), longest)
	return Setback{Err: err, Until: now.Add(pause), pause: pause}
}

// Refused reports whether the API server refuses a write as it is: nothing but a change of something makes it pass. An
// overload, a time-out, or a webhook that cannot be reached says nothing of the write.
func Refused(err error) bool {
	// A webhook that denies chooses the status code, 400 where it chooses none.
	denied := strings.Contains(err.Error(), "denied the request")
	return denied || apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)
}
