package v1alpha1

// Types of a QWorker's conditions.
const (
	// ConditionReady is True when the fleet has as many workers as the queue asks for that are ready and stay up.
	ConditionReady = "Ready"
	// ConditionBrokerReachable is True when the queue's depth was read by the last attempt.
	ConditionBrokerReachable = "BrokerReachable"
	// ConditionProgressing is True while a new revision takes over and when it has; False when it is stuck.
	ConditionProgressing = "Progressing"
	// ConditionDraining is True while pods have a grant.
	ConditionDraining = "Draining"
	// ConditionTasksSeen is present while workers may be at tasks that QScaler cannot see. It is False while workers stay
	// that are not needed, for that reason, and Unknown otherwise.
	ConditionTasksSeen = "TasksSeen"
	// ConditionTasksProtected is present while a setting may cut tasks, or have them done twice. It is False while it does so
	// in any case, or has done so, and Unknown where that depends on what QScaler cannot see.
	ConditionTasksProtected = "TasksProtected"
	// ConditionScalingLimited is True when minReplicas or maxReplicas overrides what the queue asks for.
	ConditionScalingLimited = "ScalingLimited"
	// ConditionRightSizing is present when activateVPA is true.
	ConditionRightSizing = "RightSizing"
	// ConditionConfigRead is present when rollout.onConfigChange is Restart. It is False while a Secret or ConfigMap that
	// podSpec refers to cannot be read, and Unknown before each was read once.
	ConditionConfigRead = "ConfigRead"
	// ConditionContested is present and True while several operators act on the QWorker.
	ConditionContested = "Contested"
	// ConditionUnknownHolders is present and True while workers that no QWorker has made hold tasks of the queue; of a
	// ScalerConfig, while workers hold tasks of queues that no QWorker serves.
	ConditionUnknownHolders = "UnknownHolders"
	// ConditionReconciling is present and True while the operator works towards the spec (kstatus).
	ConditionReconciling = "Reconciling"
	// ConditionStalled is present and True while the operator cannot go on without a person (kstatus).
	ConditionStalled = "Stalled"
)

// Types of a ScalerConfig's conditions. ConditionReconciling and ConditionStalled are used by both kinds.
const (
	// ConditionHealthy is True when the broker answers.
	ConditionHealthy = "Healthy"
	// ConditionPushes is True when the broker tells the operator of changes, False when it is polled.
	ConditionPushes = "Pushes"
	// ConditionReclaims is False while the tasks of dead workers are not returned at this broker, and absent else.
	ConditionReclaims = "Reclaims"
	// ConditionSuitable is False while the broker's version or settings, or the workers' own password, endanger tasks, and
	// absent else.
	ConditionSuitable = "Suitable"
)
