// Package recovery returns the tasks of dead workers to their queues: one record for each dead worker, and one pace for
// each broker, beside the reconciliations and never within one. A broker that is slow, hostile or full of lists
// delays no fleet.
//
//	words.go     what a reconciler tells, and what it is told
//	record.go    one dead worker: its states, and what leads from one to the next
//	fleet.go     the records of one fleet
//	pace.go      one broker: how many calls at once, and when the next
//	search.go    one server: who holds tasks there, of whatever queue
//	searches.go  all of them: who shares one, what is searched, and when again
//	unknown_holders.go unknown holders of tasks, and how many
//	unserved.go  lists of queues that no fleet serves: how many
//	observe.go   all of them: what a reconciler sees, and what it is told
//	core.go      all of them: what is to be done now, and what came of it
//	recovery.go  the lock and the goroutines around the core, and the calls
//
// A dead worker is known by its pod, never by a timer: a task is returned only when all containers of its pod have
// ended, or when the API server itself says that the pod is gone. So nothing here takes a task from a worker that is
// alive and slow.
//
//	   pod ends            returned             pod vanishes
//	----------> Ended ----------------> Returned ----------.
//	              |                                        v       read a minute later
//	              | pod vanishes      .-----------------> Lingering --------> (dropped)
//	              v       confirmed,  |                    |
//	----------> Gone ------ returned -'                    |
//	pod vanishes,  ^                                       |
//	or is found    '---------------------------------------'
//	                         holds a task again
//
// A record that fails at the broker, or that the API server does not confirm, stays where it is and is tried again after
// a pause that doubles. A pod that is alive after all, or another's, has its record dropped.
//
// The core is pure: time and readings come in. The package may import internal/broker, internal/backlog and internal/backoff. It has no
// Kubernetes types and no client: whether a pod is gone is asked through a function that it is given. What is
// reported of a record, and whether a pod may be removed, is decided by the reconciler.
package recovery
