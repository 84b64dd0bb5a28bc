package report

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/internal/planner"
)

// Problem is why something does not work: a reason that a user can search for, and a message with the remedy.
type Problem struct{ Reason, Message string }

// Observed is what was seen of a QWorker.
type Observed struct {
	Generation int64
	// Deleting is true once the QWorker is being deleted.
	Deleting bool
	// Stalled is why the spec cannot be followed, nil where it can.
	Stalled  *Problem
	Pods     []Pod
	Queue    Queue
	Recovery Recovery
	Tasks    Tasks
	// Redelivery is what the broker does with a task that a worker has had for long, and MaxTaskDuration how long a task may
	// take, 0 where nobody has said.
	Redelivery      Redelivery
	MaxTaskDuration time.Duration
	// EndAfterTask is true where workers end by themselves after their task.
	EndAfterTask bool
	// Config is what is known of the Secrets and ConfigMaps whose changes are followed, nil where none are.
	Config *Config
	// Operators are those that act on the QWorker, where they are several.
	Operators []string
	// RightSizing is that condition, with no status where it is to be absent.
	RightSizing metav1.Condition
}

// Pod is one worker.
type Pod struct {
	planner.Pod
	// Node is the name of its node, "" before it has one.
	Node string
	// Unscheduled is true where no node has room for it.
	Unscheduled bool
	// Signalled is since when a worker that still runs knows from SIGTERM that it is to leave. It is zero for all others.
	Signalled time.Time
	// SteadyAfter is how long the worker must be ready before it counts as one that stays up.
	SteadyAfter time.Duration
}

// Queue is what was read of the queue.
type Queue struct {
	// Known is true once the queue was read.
	Known   bool
	Waiting int64
	// InFlight is nil where the broker cannot say.
	InFlight *int64
	ReadAt   time.Time
	// Problem is why it cannot be read, nil where it can.
	Problem *Problem
	// WriteEvery is how often the status is written for these figures alone.
	WriteEvery time.Duration
}

// Recovery is what was learned of the tasks of dead workers.
type Recovery struct {
	// Unplaced has the workers of which nobody knows at which queue they worked, and whose tasks are not returned therefore.
	Unplaced []string
	// Failing has the workers whose tasks cannot be returned, and Why is the error of the first.
	Failing []string
	Why     string
	// SearchFailed is why the search for such tasks fails again and again, "" where it does not.
	SearchFailed string

	// UnknownHolders is what was learned of unknown holders of tasks of the queue, nil while nobody has looked.
	UnknownHolders *UnknownHolders

	// Outstanding counts the workers whose tasks a QWorker that is being deleted waits for. Holdup is why they are not
	// back, "" where that is a matter of moments.
	Outstanding int
	Holdup      string
	// Searching is true while a QWorker that is being deleted waits for a search. SearchHoldup is why it is not over.
	Searching    bool
	SearchHoldup string
	// WaitsUntil is when the QWorker waits for neither any more, zero while its workers are there.
	WaitsUntil time.Time
}

// UnknownHolders are workers that hold tasks and that no QWorker of this cluster has created: the names of some, how many
// they are, and how many tasks they hold.
type UnknownHolders struct {
	Names   []string
	Workers int64
	Tasks   int64
}

// Config is what is known of the Secrets and ConfigMaps that a pod spec refers to.
type Config struct {
	Objects []ConfigObject
	// Omitted counts those that are not looked at, because they are too many.
	Omitted int
}

// ConfigObject is one Secret or ConfigMap.
type ConfigObject struct {
	// Name has the kind too.
	Name string
	// Optional is true where pods start without it.
	Optional bool
	// Known is true once its content was read, or it was found that an optional one does not exist.
	Known bool
	// Problem is the reason of the condition for which it cannot be read, "" for none.
	Problem string
}

// Decided is what was decided.
type Decided struct {
	// Asked is how many workers the queue asks for, and Why how Desired comes about.
	Asked int64
	Why   string
	// Desired is how many workers are to be. Limited is the end of the range that has bounded it, zero where none has.
	Desired int32
	Limited Problem
	BackOff planner.BackOff
	// Failures is how many workers have failed in a row, also while the next one is tried.
	Failures int
	Rollout  Rollout
}

// Rollout is where a rollout stands.
type Rollout struct {
	// Newest is the revision of the spec, "" where there is none.
	Newest string
	// Unstored is why the revision of the present spec cannot be stored, "" where it is. Newest is then the published one.
	Unstored string
	// Publish is the revision that is published now, "" where that does not change.
	Publish string
	Stage   planner.Stage
	// Proven is true once a worker of the published revision was ready for long enough.
	Proven   bool
	Paused   bool
	MinReady time.Duration
	Obstacle planner.Obstacle
	// Uncreated is why no pod of the newest revision can be created, zero where that is not so.
	Uncreated Uncreated
	// Unread is why the queue of the newest revision cannot be read, where that is another one. Else it is nil.
	Unread *Problem
	// Kept is why an earlier canary of the same spec has failed, zero where none has.
	Kept Problem
}

// Uncreated is why a pod could not be created.
type Uncreated struct {
	Message string
	// Quota is true where a quota is used up. Refused is true where nothing but a change of something helps.
	Quota, Refused bool
}

// Done is what came of the decision.
type Done struct {
	// Failure is why the round could not be finished, nil where it could.
	Failure *Problem
	// Uncreated is why no pod can be created of the revision that the fleet works with, "" where that is not so.
	Uncreated string
	// PodRefused is true where nothing but a change of something helps.
	PodRefused bool

	Actions []planner.Action
	// Returned counts the tasks of dead workers that returned to the queue. ReclaimFailed is why others were not.
	Returned      int64
	ReclaimFailed string
	// ChangedConfig has the Secrets and ConfigMaps for whose change the newest revision was made in this round.
	ChangedConfig []string
	// Sizes are the events of right-sizing.
	Sizes []Event
}

// Memory is what must be known again in the next round. All of it may be gone with the process.
type Memory struct {
	// Departed has the pods that were seen to have left on a grant, and Departure is when the last of them was.
	Departed  map[string]bool
	Departure time.Time
	// BusyLeaving has the pods with a grant that were at a task, and when they were last seen at it.
	BusyLeaving map[string]time.Time
	// Told has the conditions of which it was told that they have turned bad, and not yet that they are well again.
	Told map[string]Fault
	// QueueWritten is when the queue's figures were last written.
	QueueWritten time.Time
}

// Fault is what was told of a condition that has turned bad.
type Fault struct {
	Reason string
	// Generation is the one of the spec that it was told of: the same fault of another spec is another one.
	Generation int64
}
