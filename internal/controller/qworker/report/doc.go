// Package report says how a QWorker is: its status, its conditions and its events. Each is a pure function of what was
// observed, decided and done in one reconciliation.
//
//	input.go        what the functions are told
//	status.go       the whole status; replicas.go, queue.go and departures.go fill their parts of it
//	condition.go    what all conditions share; reasons.go has the reasons
//	summary.go      the worst of it all, the column STATUS
//	ready.go        the condition Ready, with back_off.go and deleting.go for what it says then, and steady.go for since when
//	broker_reachable.go, progressing.go, draining.go, tasks_seen.go, scaling_limited.go   a condition each
//	unknown_holders.go   what unknown holders have
//	kstatus.go      the conditions Reconciling and Stalled, for other tools
//	events.go       what was done; changes.go what has become worse, and what is well again
//	words.go        long texts, and reasons that may not be known
//
// It imports the API types, and the planner's types for what was observed and decided. It holds no client, no clock and
// no recorder, and it does not know the reconciler, the fleet or the backlog: errors reach it as a Problem, the time as
// an argument. What it must know again in the next round goes out and comes back as a Memory. Where time alone will
// change what it says, it returns that time.
package report
