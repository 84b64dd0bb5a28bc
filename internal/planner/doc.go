// Package planner decides what becomes of a fleet of workers: which are created, which may leave,
// which grants are withdrawn, and when a revision is published.
//
//	plan.go          one plan: the order of the steps
//	fleet.go         what a plan depends on: the pods, the numbers, the revisions
//	action.go        what a plan consists of
//	budget.go        spec.rollout: how many pods may be beside the fleet, and how many may be missing
//
//	leave.go         who leaves when there are too many, and in which order
//	withdraw.go      which grants end, and whose come first when workers are needed again
//	withhold.go      a plan without departures, while a reading is awaited
//	left.go          pods that have left are removed, but for the last that failed
//	unfit.go         pods that cannot run as they are sized
//
//	rollout.go       where a fleet stands between two revisions
//	canary.go        the newest revision proves itself
//	turnover.go      pods that give way to others: an outdated revision, a node that is drained, an old password, another content of a Secret
//	progress.go      why a rollout does not go on
//	backoff.go       a revision whose pods fail is created more slowly
//
// Everything here is a pure function of its arguments, time included. It imports neither Kubernetes nor a
// broker, and never will: whoever wants to know why a worker left reads leave.go and rollout.go,
// and needs no cluster to try them.
package planner
