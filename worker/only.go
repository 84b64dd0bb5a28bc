package worker

import (
	"fmt"
	"sync"
)

// share names the processing list of one worker.
type share struct {
	address    string
	database   int
	queue, pod string
}

// shares are those of the workers of this process. Two workers with one share would do each other's tasks again, and
// only the process as a whole can see that.
var shares sync.Map //nolint:gochecknoglobals // see above

// claim gives a share to one worker, until it is released.
func claim(s share) (release func(), err error) {
	if _, taken := shares.LoadOrStore(s, true); taken {
		return nil, fmt.Errorf("a worker of this process runs already on the queue %s as the pod %s: "+
			"for more tasks at once use WithConcurrency; a second worker needs a POD_NAME of its own", s.queue, s.pod)
	}
	return func() { shares.Delete(s) }, nil
}
