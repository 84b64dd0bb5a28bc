// Package planner decides what becomes of a fleet of workers: which are created, which may leave,
// which grants are withdrawn, and when a revision is published.
//
// Everything here is a pure function of its arguments, time included. It imports neither Kubernetes nor a
// broker, and never will: whoever wants to know why a worker left reads leave.go and rollout.go,
// and needs no cluster to try them.
package planner
