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
	pushed   int
	done     int
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
}

// news is something that was decided or done, and why.
type news struct {
	at time.Duration
	// byStory is true for what the demo itself did, false for the operator's decisions.
	byStory bool
	what    string
	why     string
}
