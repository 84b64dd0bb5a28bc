// Package fleet is one QWorker's pods: it reads them, tells where each stands, and carries out what the
// planner decided.
//
// Between a write and the cache that shows it, an overlay remembers what was written, so that a stale cache
// never creates or grants twice. The package decides nothing; it may import the planner's words, and
// revision for what a pod is made of.
package fleet
