// Package controller has QScaler's reconcilers, one package each, and here what they may do in a cluster.
//
// config/rbac/role.yaml is generated from the markers below. A reconciler that needs a right it does not
// have gets it here, in one reviewed place and with its reason; config/testdata/rules.golden shows the
// result line by line.
package controller

// Our own kinds. Specs belong to the users: of a QWorker the operator writes the finalizer, which is part
// of the main object, and the status, which is not. It creates and deletes neither kind.
//
// +kubebuilder:rbac:groups=quickube.com,resources=qworkers,verbs=get;list;watch;update;patch
// +kubebuilder:rbac:groups=quickube.com,resources=qworkers/status,verbs=get;update;patch
// +kubebuilder:rbac:groups=quickube.com,resources=scalerconfigs,verbs=get;list;watch
// +kubebuilder:rbac:groups=quickube.com,resources=scalerconfigs/status,verbs=get;update;patch
//
// Owner references that block the owner's deletion, on pods and revisions: the admission plugin
// OwnerReferencesPermissionEnforcement asks for this subresource.
//
// +kubebuilder:rbac:groups=quickube.com,resources=qworkers/finalizers,verbs=update
//
// The workers: created, granted leave (one patch of annotations), and deleted. Never updated as a whole:
// the rest of a pod is the kubelet's.
//
// +kubebuilder:rbac:groups=core,resources=pods,verbs=get;list;watch;create;patch;delete
//
// Whether a node is to go or does not answer, for the workers on it. In the cluster's role alone: where the operator
// is bound to namespaces it does without.
//
// +kubebuilder:rbac:groups=core,resources=nodes,verbs=get;list;watch
//
// Right-sizing: running workers are raised in place, and what they use is read in one list a namespace.
//
// +kubebuilder:rbac:groups=core,resources=pods/resize,verbs=patch
// +kubebuilder:rbac:groups=metrics.k8s.io,resources=pods,verbs=list
//
// The broker's password, read by name. No list and no watch: the operator has no use for the other Secrets.
//
// +kubebuilder:rbac:groups=core,resources=secrets,verbs=get
//
// The history of revisions that pods are made from.
//
// +kubebuilder:rbac:groups=apps,resources=controllerrevisions,verbs=get;list;watch;create;update;patch;delete
//
// Events that say what was done and why. The core group is for recorders of the older API.
//
// +kubebuilder:rbac:groups=core;events.k8s.io,resources=events,verbs=create;patch
//
// Leader election, in the operator's own namespace alone.
//
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=qscaler-system,resources=leases,verbs=get;create;update;patch
