// Package collector ends what has to end when something is deleted, as kube-controller-manager does in a cluster: objects
// whose owners are gone, the dependents of an owner that waits for them (foreground deletion), the owner references of
// objects that are to stay (orphans), and the content of namespaces.
//
//	watch.go       follows the metadata of every kind that can be deleted
//	plan.go        decides: pure, from what the watches have seen
//	namespace.go   decides about the content of namespaces that are being deleted: pure
//	act.go         asks whether an owner exists, deletes, patches
//	collector.go   the loop over the four
//
// kube-controller-manager itself is not here: it would have to be built on every machine, because the archive that local
// mode downloads does not have it. What this one leaves out: owners that wait for each other in a circle, and the
// conditions of a namespace that tell what is left in it.
//
// The package knows nothing of QScaler's kinds and imports nothing of ours.
package collector
