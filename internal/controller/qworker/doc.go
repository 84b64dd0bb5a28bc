// Package qworker reconciles QWorkers: it observes a fleet and its queue, lets the planner decide, carries
// the decision out, and writes the status once.
//
//	reconciler.go   what wakes it, and the order of the steps
//	scope.go        one reconciliation: everything that was observed
//	queue.go        which queues are watched, and what wakes the QWorker
//	size.go         from the backlog's reading to the number of workers
//	decide.go       what the planner is asked, and carrying out its answer
//	rollout.go      spec.rollout and spec.drain in the planner's words
//	nodes.go        what the nodes mean for their workers
//	refused.go      pods that the API server refuses
//	reclaim.go      the tasks of workers that are no more go back to the queue
//	rightsizing*.go  from what the workers use to their size, and how that is told
//	finalize.go     the last steps of a QWorker that is deleted
//	postpone.go     when the status waits for the pods of others
//	status.go       the counts; conditions.go and progressing.go the conditions; report.go the events
//	ahead.go        times by a node's clock that is ahead
//	memory.go       what is remembered between two reconciliations, and why it may be lost
//
// It decides nothing that a test without a cluster would want to see decided: that is the planner's.
package qworker
