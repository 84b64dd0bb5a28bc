// Package podmetrics reads what pods use from the cluster's metrics API (metrics.k8s.io, which a
// metrics-server serves), for those who ask for it: one list a namespace and tick, never a request a pod, and
// none at all where nobody asks.
//
// It knows nothing of QWorkers but their names, and keeps no history: that is internal/rightsize's.
package podmetrics
