// Package controller has QScaler's reconcilers, one package each, and here what they may do in a cluster.
//
// config/rbac/role.yaml is generated from the markers below. A reconciler that needs a right it does not
// have gets it here, in one reviewed place and with its reason; config/testdata/rules.golden shows the
// result line by line.
package controller

// Our own kinds. Specs belong to the users: of a QWorker the operator writes the finalizer, which is part
// of the main object, and the status, which is not. Both are patches. It creates and deletes neither kind, and reads both
// from its cache alone.
//
// +kubebuilder:rbac:groups=quickube.com,resources=qworkers,verbs=list;watch;patch
// +kubebuilder:rbac:groups=quickube.com,resources=qworkers/status,verbs=patch
// +kubebuilder:rbac:groups=quickube.com,resources=scalerconfigs,verbs=list;watch
// +kubebuilder:rbac:groups=quickube.com,resources=scalerconfigs/status,verbs=patch
//
// Owner references that block the owner's deletion, on pods and revisions: the admission plugin
// OwnerReferencesPermissionEnforcement asks for this subresource.
//
// +kubebuilder:rbac:groups=quickube.com,resources=qworkers/finalizers,verbs=update
//
// The workers: created, given a grant (one patch of annotations), and deleted. Never updated as a whole:
// the rest of a pod is the kubelet's.
//
// +kubebuilder:rbac:groups=core,resources=pods,verbs=get;list;watch;create;patch;delete
//
// Whether a node is being drained or does not answer, for the workers on it. In the cluster's role alone: where the operator
// is bound to namespaces it does without.
//
// +kubebuilder:rbac:groups=core,resources=nodes,verbs=list;watch
//
// Right-sizing: running workers are raised in place, and what they use is read in one list a namespace.
//
// +kubebuilder:rbac:groups=core,resources=pods/resize,verbs=patch
// +kubebuilder:rbac:groups=metrics.k8s.io,resources=pods,verbs=list
//
// The broker's password, read by name. No list and no watch: the operator has no use for the other Secrets. So are the Secrets
// and ConfigMaps that a QWorker with rollout.onConfigChange: Restart refers to.
//
// +kubebuilder:rbac:groups=core,resources=secrets;configmaps,verbs=get
//
// The key of the fingerprints of passwords, in the operator's own namespace alone: one Secret, which comes with the operator
// and is empty at first. The operator creates none.
//
// +kubebuilder:rbac:groups=core,namespace=qscaler-system,resources=secrets,resourceNames=qscaler-password-fingerprints,verbs=get;update
//
// The UID of the namespace kube-system, which names the cluster: no other operator of the same cluster, or of a copy of it,
// is to return the tasks of the same workers. Where the operator is bound to namespaces, it reads the UID of each of
// them.
//
// +kubebuilder:rbac:groups=core,resources=namespaces,resourceNames=kube-system,verbs=get
//
// The history of revisions that pods are made from. What they hold is never changed.
//
// +kubebuilder:rbac:groups=apps,resources=controllerrevisions,verbs=get;list;watch;create;patch;delete
//
// Events that say what was done and why.
//
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
//
// Leader election, in the operator's own namespace alone.
//
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=qscaler-system,resources=leases,verbs=get;create;update
