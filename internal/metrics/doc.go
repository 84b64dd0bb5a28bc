// Package metrics has the name, type, labels, help and buckets of every metric of the operator in one table, and makes
// the collectors from it. What is observed, and when, belongs to those who observe it.
//
// It imports Prometheus' client and nothing of ours. No other package of the operator makes a collector.
package metrics
