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

// evictionAnnotations keep node autoscalers from interrupting a task for the sake of a fuller node: a worker may
// be evicted when its task is sure to end in the time that they give it. They are put on new pods and are no part
// of the revision, so that another version of the operator rolls no fleet.
func (c Content) evictionAnnotations() map[string]string {
	longest := c.Drain.MaxTaskDuration
	if longest != nil && longest.Duration <= longestEvictable && time.Duration(c.GracePeriodSeconds())*time.Second >= longest.Duration {
		return map[string]string{annotationSafeToEvict: "true"}
	}
	return map[string]string{annotationSafeToEvict: "false", annotationDoNotDisrupt: "true"}
}
