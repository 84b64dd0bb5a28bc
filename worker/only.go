package worker

import (
	"fmt"
	"sync"
)

// share names the list of what one worker has in hand.
type share struct {
	address    string
	database   int
	queue, pod string
}

// shares are those that a worker of this process has. Two workers on one would take each other's tasks for what
// a killed process has left, and do them twice; only the process as a whole can see that.
var shares sync.Map //nolint:gochecknoglobals // see above

// claim has a share be one worker's, until it is released.
func claim(s share) (release func(), err error) {
	if _, taken := shares.LoadOrStore(s, true); taken {
		return nil, fmt.Errorf("a worker of this process runs already on the queue %s as the pod %s: "+
			"for more tasks at once use WithConcurrency; a second worker needs a POD_NAME of its own", s.queue, s.pod)
	}
	return func() { shares.Delete(s) }, nil
}
