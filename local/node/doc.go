// Package node is a Kubernetes node that runs pods as processes of this machine: no images, no namespaces,
// no cgroups. It takes the place of scheduler and kubelet in local mode and in tests that need workers that
// really run.
//
// To the API server it is a kubelet: statuses, restarts, back-off, probes, the downward API's files and the
// order of a pod's end are as Kubernetes documents them. To the pods it differs where processes differ from
// containers:
//
//   - `command` runs as it is found on this machine. An image without a command must be mapped to one.
//   - A volume is a directory of the pod. Values of the environment, the command and its arguments that point into a
//     mount path are rewritten to that directory (see mounts.go).
//
// A container that holds more memory than its limit is killed, as OOMKilled; it is looked at a few times a
// second, so that one that grows fast may hold more for a moment. What the pods use is told as PodMetrics,
// under the path of a cluster's metrics API.
//
// What it does not do: limits of CPU, affinity and taints (nodeSelector is obeyed), security contexts,
// services, `kubectl exec` (the answer says what to do instead), times in logs, and volumes beside emptyDir, hostPath,
// configMap, secret, downwardAPI and projected.
//
// One goroutine, a runner, owns one pod: see runner.go. The package knows nothing of QScaler's kinds, and
// imports nothing of ours but local/process.
package node
