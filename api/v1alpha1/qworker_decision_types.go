package v1alpha1

// DecisionStatus is why there are to be so many workers.
type DecisionStatus struct {
	// How many workers the queue asks for now, before scaleDownDelay, minReplicas and maxReplicas. 0 before the queue was read.
	Asked int64 `json:"asked"`
	// How desiredReplicas comes about, in one line that adds up.
	Why string `json:"why"`
}

// SummaryStatus is the one thing of a QWorker that a person is to know first.
type SummaryStatus struct {
	// The reason of the condition that is worst, else of Ready: the column STATUS.
	Reason string `json:"reason"`
	// What that condition says; of a QWorker that is well, why there are so many workers.
	Message string `json:"message"`
}
