// Package qworker reconciles QWorkers. A round observes a fleet and its queue, lets scaling and the planner decide, acts,
// and writes the status once.
//
//	setup.go         what wakes it
//	reconcile.go     one reconciliation: the order of the steps
//	reconciler.go    what it works with; round.go what one reconciliation has seen, decided and done
//
//	observe.go       the QWorker, its revisions and its pods; nodes.go what their nodes mean for them; passwords.go
//	                 which were made with an old password; down.go since when a worker's process has ended; newest.go
//	                 which revision the spec describes
//	tasks.go         what is known of the tasks that workers are at; sightings.go whose tasks show, and lookout.go whose
//	                 may show yet; ends.go which workers that have ended by themselves had done a task
//	recovery.go      what recovery is told of dead workers, and what it answers; presence.go how often it asks for pods
//	queues.go        which queues are watched; readings.go what they have shown; wakeup.go which readings wake the QWorker;
//	                 freshness.go which were requested before somebody is let go
//	scale.go         how many workers: what internal/scaling is asked
//	decide.go        who comes and who leaves: what internal/planner is asked
//	act.go           the decision is carried out; proofs.go what is stored of a revision beforehand
//	trial.go         whether the API server would take a pod of a revision of which there is none
//	sizes.go         what sizing is asked
//	finish.go        what came of it, and the last steps of a QWorker that is deleted
//	status.go        the status is written, or waits (postponed.go); told.go what report is told; events.go the events; metrics.go
//
//	revisions.go     the revisions of a QWorker, and where their pods work (places.go)
//	dead.go          how it stands with the tasks of dead workers
//	creations.go     pods that could not be created
//	object.go        writes of the QWorker itself; norights.go where the operator may do nothing any more, and
//	                 dropfinalizer.go how it lets go then; writers.go who else writes it
//	rollout.go       spec.rollout and spec.drain in the planner's words
//	recheck.go       when to look again
//	memory.go        what is remembered between two rounds, and why it may be forgotten; clockskew.go
//
// It decides nothing that a test without a cluster would want to see decided: scaling decides how many workers there
// shall be, planner which pods come and leave, sizing what they request, recovery whose tasks are reclaimed, and report
// what is said. None of these knows this package.
package qworker
