package revision

import "time"

// Annotations by which node autoscalers are told whether they may evict a pod.
const (
	annotationSafeToEvict  = "cluster-autoscaler.kubernetes.io/safe-to-evict"
	annotationDoNotDisrupt = "karpenter.sh/do-not-disrupt"
)

// longestEvictable is how long cluster-autoscaler waits for an evicted pod, whatever its grace period
// (--max-graceful-termination-sec, 600 by default).
const longestEvictable = 10 * time.Minute

// evictionAnnotations keep node autoscalers from interrupting a task to fill other nodes: they may evict a worker
// only if its task is sure to end in time. New pods get them, and they are not part of the revision, so that another
// version of the operator rolls no fleet.
func (c Content) evictionAnnotations() map[string]string {
	longest := c.Drain.MaxTaskDuration
	if longest != nil && longest.Duration <= longestEvictable && time.Duration(c.GracePeriodSeconds())*time.Second >= longest.Duration {
		return map[string]string{annotationSafeToEvict: "true"}
	}
	return map[string]string{annotationSafeToEvict: "false", annotationDoNotDisrupt: "true"}
}
