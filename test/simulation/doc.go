// Package simulation lives through the accidents of years with the whole controller in minutes: the real reconciler,
// planner, fleet, revisions and backlog, on a simulated API server, cache, kubelet and broker, and on a fake clock.
//
//	apiserver_test.go   objects, resource versions, preconditions, deletion
//	client_test.go      what the operator holds: reads from a cache that is behind, writes that may fail
//	race_test.go        how many worlds the race detector sees
//	turns_test.go       writes that come at once, one after another
//	faults_test.go      which writes fail, do not arrive, or are the last before a crash
//	broker_test.go      a queue and its workers' lists; outages, and rings that do not arrive
//	kubelet_test.go     pods that start, work, leave, crash, hang and vanish
//	operator_test.go    the operator's process: woken as the real one is, killed, started again
//	world_test.go       all of it together, and what a user does meanwhile
//	accidents_test.go   what goes wrong
//	invariants_test.go  what must hold whatever goes wrong
//	moves_test.go       a fleet that is moved between queues and brokers
//	onetask_test.go     workers that end after their task
//	deletion_test.go    a broker that keeps what dead workers have from the queue
//	asked_test.go       the most that the queue may have asked for, as far as the operator can know
//
// What is simulated is chosen so that the controller sees the worst that the real thing may show it. Whether the
// real thing behaves as assumed is for the tests against a real API server, Redis and kubelet.
package simulation
