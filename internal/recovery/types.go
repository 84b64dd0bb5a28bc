package recovery

import (
	"slices"
	"strings"
	"time"

	"github.com/quickube/qscaler/internal/backlog"
)

// Fleet names the fleet that a worker is of.
type Fleet struct{ Namespace, Name, UID string }

// Names tells by its name whose a worker is: a name begins with what those of its fleet have in common.
type Names struct {
	// Family is what the names of a fleet's workers have in common, and FamilyOf what a worker's name has of that; "" of a
	// name that no operator makes.
	Family   func(Fleet) string
	FamilyOf func(worker string) string
}

// Place is where workers work: a queue of a broker.
type Place struct {
	// Broker is the ID of the backlog's source.
	Broker string
	// Queue is the Name of the queue's query: two consumer groups of one queue are two places.
	Queue string
	// Key is the one under which the backlog watches the queue for the fleet.
	Key backlog.Key
	// Revision is one whose workers work there.
	Revision string
}

func (p Place) site() site { return site{p.Broker, p.Queue} }

// site is a place whoever works there.
type site struct{ broker, queue string }

// Mode says whether the tasks of a fleet's dead workers are ours to return.
type Mode int

// The modes.
const (
	// Active: they are.
	Active Mode = iota
	// Suspended: nobody knows for the moment. What is known is kept, and nothing is done.
	Suspended
	// Declined: they are not. What is known is forgotten; what was to be done is searched for once they are again.
	Declined
	// Abandoned: there is no way any more to return them. What is known is kept, to be told.
	Abandoned
)

// Worker is a worker whose pod is there.
type Worker struct {
	Name, Revision string
	// HostName and PodIP are those of broker.Worker.
	HostName, PodIP string
	// Ended is true once all containers of the pod have ended for good.
	Ended bool
}

// Observation is what a reconciler sees in one round.
type Observation struct {
	Now      time.Time
	Mode     Mode
	Deleting bool
	// Workers are all whose pods are there.
	Workers []Worker
	// Places are those of the fleet's revisions, each once: the present one first, at which new pods work, and then the
	// former ones. There are none where no revision is known.
	Places []Place
	// At is the place of a revision's workers, the zero place where nobody knows. It is called during the observation only.
	At func(revision string) Place
}

// Snapshot is what is known of a fleet's dead workers at one moment.
type Snapshot struct {
	// Dead has a record of each, by name.
	Dead []Dead
	// Searches are those that are not over, the present place's first.
	Searches []Search
	// UnknownHolders are the unknown holders of tasks of the fleet's queues.
	UnknownHolders UnknownHolders
	// Vanished counts the workers whose pods were there at the last observation and are not any more.
	Vanished int
	// Returned counts the tasks that were returned since the last snapshot.
	Returned int64
	// Failure is why the tasks of a worker were not returned when that was last tried, if it was since the last snapshot.
	Failure error
	// RecheckAt is when the passing of time alone changes the snapshot, zero for never.
	RecheckAt time.Time
}

// Dead is one dead worker.
type Dead struct {
	Worker, Revision string
	// HostName and PodIP are those that it was last seen with, as in broker.Worker. PodIP is empty once another worker has
	// had it.
	HostName, PodIP string
	State           State
	// Failures is how often in a row that failed, and Err why it was the last time. Unconfirmed is true where the API server
	// did not say whether the pod is gone, so that the broker was not asked.
	Failures    int
	Err         error
	Unconfirmed bool
	// Unplaced is true where nobody knows where the worker was at work, so that its tasks cannot be returned.
	Unplaced bool
}

// UnknownHolders are workers that no fleet of this cluster has made, such as one of a QWorker that was deleted and created again,
// of another cluster, or on somebody's own machine. Nobody here knows whether they are alive.
type UnknownHolders struct {
	// Known is true once the fleet's present queue was searched.
	Known bool
	// Workers are their names, the first 1000, and Lists is how many they are.
	Workers []string
	Lists   int
	// Tasks is what those that are named hold together, when that was last counted.
	Tasks int64
}

// Search is the search of one place for workers that died while nobody watched, before it is over.
type Search struct {
	Place Place
	// Former is true for a place at which no new pod works.
	Former bool
	// Err is why the search does not come to its end, nil while nothing is wrong.
	Err error
	// Failed is true where Err is of the search itself, and not of a queue that cannot be read.
	Failed bool
}

// Of is the record of a worker.
func (s Snapshot) Of(worker string) (Dead, bool) {
	i, found := slices.BinarySearchFunc(s.Dead, worker, func(d Dead, name string) int { return strings.Compare(d.Worker, name) })
	if !found {
		return Dead{}, false
	}
	return s.Dead[i], true
}

// Tries is how often in a row the return of a worker's tasks fails before that is told, and before its pod is
// removed all the same.
const Tries = 3

// IsFailing reports whether the return of its tasks failed so often that somebody is to be told.
func (d Dead) IsFailing() bool { return d.Failures >= Tries }

// IsGone reports whether the worker's pod is gone.
func (d Dead) IsGone() bool { return d.State == Gone || d.State == Lingering }

// IsReturned reports whether its tasks are back.
func (d Dead) IsReturned() bool { return d.State == Returned || d.State == Lingering }
