package demo

import "time"

// picture is one moment of the story, as plain values.
type picture struct {
	elapsed  time.Duration
	chapter  heading
	broker   string // in a person's words
	waiting  int64
	inFlight int64
	desired  int32
	current  int32
	draining int32
	// replicas are all live workers by the same status; current and draining are some of them.
	replicas int32
	pushed   int
	done     int
	// left counts the grants of scale-downs; stopped are the tasks in whose middle a Deployment, which takes away as many,
	// would have stopped a worker.
	left    int
	stopped []string
	// operatorDown is true while the story keeps the operator dead.
	operatorDown bool
	workers      []workerRow
	news         []news
}

// heading is a chapter's, for the screen.
type heading struct {
	number, of int
	title      string
	// text says what there is to see, in one line.
	text string
}

// activity is what a worker is seen to be doing.
type activity int

const (
	starting activity = iota
	idle
	busy
	killed
	gone
)

// workerRow is one worker.
type workerRow struct {
	name     string
	revision string
	activity activity
	task     string
	spent    time.Duration // on the task
	length   time.Duration // of the task
	leave    string        // the reason of its grant, "" for none
	done     int           // tasks
	stopped  bool          // in the middle of this task, had a Deployment scaled down
}

// news is something that was decided or done, and why.
type news struct {
	at   time.Duration
	from source
	what string
	why  string
	// who are the workers that it is about, in a person's words.
	who string
}

// source is where news come from.
type source int

const (
	fromOperator   source = iota
	fromStory             // what the demo itself did
	fromWorker            // a worker has left
	fromDeployment        // what a Deployment would have done
)

func (s source) String() string {
	return [...]string{"operator", "story", "worker", "instead"}[s]
}

// reason is why, and about whom.
func (n news) reason() string {
	if n.who == "" {
		return n.why
	}
	return n.why + " (" + n.who + ")"
}
