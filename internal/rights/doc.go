// Package rights is for namespaces in which the operator may not read: they hold up no others.
//
//	informers.go    what is watched there looks empty until the rights come
//	namespaces.go   which namespaces those are, for people
//
// It may import internal/backoff and internal/metrics. It knows nothing of what is done in a namespace.
package rights
