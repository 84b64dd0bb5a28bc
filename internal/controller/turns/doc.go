// Package turns says whose turn it is to be reconciled, so that no tenant slows another.
//
//	queue.go   how many may be under way at once: of a namespace, and of those that are slow
//	line.go    those that wait: namespaces take turns
//
// A tenant is a namespace. Most reconciliations are over within milliseconds. One may take long, because an admission
// webhook that its pods pass is slow, say, and a tenant may have thousands of them. Each namespace has a share of the
// reconciliations, and objects that were slow a moment ago have a part of them together, so that there is always a worker
// for the others. What has to wait waits here, and holds no worker.
//
// It imports nothing of ours. It knows nothing of what is reconciled, and never reads a clock of its own.
package turns
