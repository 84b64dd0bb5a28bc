// Package sizing right-sizes the pods of one QWorker: it learns from what they use and from what they were killed for,
// gives new pods what is recommended, raises running ones, and tells which pods cannot run as they are sized.
//
//	sizing.go     what a round is given, what is remembered between rounds, and what comes of one
//	recommend.go  from usage and kills to recommendations
//	mostused.go   the most that each container was seen to use
//	newpod.go     a new pod gets what is recommended
//	refusal.go    what is recommended is refused, and new pods are made as in the podSpec for a while
//	raise.go      running pods get more, a few at a time
//	unfit.go      pods whose workers do not run because of their size
//	condition.go  the condition RightSizing
//	notes.go      the events
//	history.go    what was learned outlives the process, as an annotation of the QWorker
//	metrics.go    the metrics
//
// Right-sizing never stops anything else: whatever fails here is told in the condition and tried again, and the
// number of workers is not touched.
//
// It imports internal/rightsize, which decides, internal/podmetrics, internal/metrics and the API types, and of ours no more:
// it knows no queue, no planner, and not the reconciliation that calls it. Which pods are created or deleted is
// never decided here.
package sizing
