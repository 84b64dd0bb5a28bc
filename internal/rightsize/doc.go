// Package rightsize decides how much CPU and memory the containers of a worker get, from what they use.
//
//	buckets.go     the value ranges of a histogram
//	histogram.go   a histogram that forgets: 24 h half-life
//	usage.go       what is known of the containers of one name
//	history.go     what is known of one QWorker; checkpoint.go how it survives a restart
//	oom.go         kills by the out-of-memory killer, and how far they raise the memory
//	policy.go      what the user allows
//	recommend.go   from usage and policy to a recommendation, with its reason
//	fit.go         from a recommendation to a container's resources; qos.go the class that is kept
//	raise.go       which running pods are raised, and in which order; infeasible.go what their nodes cannot give
//
// Everything here is pure: no client, and no clock but the one that is passed in. What a pod uses comes from
// internal/podmetrics; what is decided is carried out by internal/controller/qworker and internal/fleet.
//
// The figures are those of the Vertical Pod Autoscaler's recommender, where it has any: users know them, and
// they have been tried. Each is cited where it stands, by its file below
// https://github.com/kubernetes/autoscaler/tree/master/vertical-pod-autoscaler/pkg/recommender
package rightsize
