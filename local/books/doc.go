// Package books counts what became of tasks from what the workers themselves wrote, and from nothing that
// the operator says: which were done, how often, by whom, and which were begun and never finished.
//
//	log.go      the lines of a worker's log
//	books.go    what was pushed, who was killed, which logs are followed
//	balance.go  the count
//
// The example workers write one line when a task starts and one when it is done, see examples/README.md. The
// demo's summary and the end-to-end tests are counted here. It imports nothing of ours.
package books
