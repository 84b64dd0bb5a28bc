package v1alpha1

// Types of a QWorker's conditions.
const (
	// ConditionReady is True when the fleet has as many ready workers as the queue asks for.
	ConditionReady = "Ready"
	// ConditionBrokerReachable is True when the queue's depth was read by the last attempt.
	ConditionBrokerReachable = "BrokerReachable"
	// ConditionProgressing is True while a new revision takes over and when it has; False when it is stuck.
	ConditionProgressing = "Progressing"
	// ConditionDraining is True while pods hold a grant to leave.
	ConditionDraining = "Draining"
	// ConditionScalingLimited is True when minReplicas or maxReplicas overrides what the queue asks for.
	ConditionScalingLimited = "ScalingLimited"
	// ConditionRightSizing is present when activateVPA is true.
	ConditionRightSizing = "RightSizing"
	// ConditionReconciling is present and True while the operator works towards the spec (kstatus).
	ConditionReconciling = "Reconciling"
	// ConditionStalled is present and True while the operator cannot go on without a person (kstatus).
	ConditionStalled = "Stalled"
)

// Types of a ScalerConfig's conditions. ConditionReconciling and ConditionStalled are used by both kinds.
const (
	// ConditionHealthy is True when the broker answers.
	ConditionHealthy = "Healthy"
	// ConditionPushes is True when the broker tells of changes by itself, False when it is polled.
	ConditionPushes = "Pushes"
)
