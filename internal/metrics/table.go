package metrics

import "github.com/prometheus/client_golang/prometheus"

// The labels. Those of objects have as many values as there are objects; whoever sets them has Forget remove the series
// of one that is gone.
func namespace() Label { return Label{Name: "namespace"} }
func qworker() Label   { return Label{Name: "qworker"} }
func container() Label { return Label{Name: "container"} }
func source() Label    { return Label{Name: "source"} }

func label(name string, values ...string) Label { return Label{Name: name, Values: values} }

// QWorkerReplicas counts workers.
func QWorkerReplicas() Gauge {
	return Gauge{
		Name:   "qscaler_qworker_replicas",
		Help:   "Workers of a QWorker by state: desired, current, ready, draining, terminating.",
		Labels: []Label{namespace(), qworker(), label("state", "desired", "current", "ready", "draining", "terminating")},
	}
}

// QWorkerMessages counts messages.
func QWorkerMessages() Gauge {
	return Gauge{
		Name:   "qscaler_qworker_messages",
		Help:   "Messages of a QWorker's queue by state, as in its status: waiting, in_flight.",
		Labels: []Label{namespace(), qworker(), label("state", "waiting", "in_flight")},
	}
}

// QWorkerOldestMessageAge shows for how long messages wait. It is collected when somebody looks.
func QWorkerOldestMessageAge() Gauge {
	return Gauge{
		Name:   "qscaler_qworker_oldest_message_age_seconds",
		Help:   "Age of the oldest waiting message of a QWorker's queue, read every 10 s; absent where none waits, or the broker does not tell.",
		Labels: []Label{namespace(), qworker()},
	}
}

// QWorkerUnknownHolderTasks counts tasks that nobody here may return.
func QWorkerUnknownHolderTasks() Gauge {
	return Gauge{
		Name:   "qscaler_qworker_unknown_holder_tasks",
		Help:   "Tasks of a QWorker's queue that are held by workers which no QWorker of the cluster has made.",
		Labels: []Label{namespace(), qworker()},
	}
}

// QWorkerActions counts what was done. The kinds are the planner's, the reasons those of grants.
func QWorkerActions() Counter {
	return Counter{
		Name: "qscaler_qworker_actions_total",
		Help: "What was done to the pods of a QWorker, by kind, and for GrantLeave by the grant's reason.",
		Labels: []Label{
			namespace(), qworker(),
			label("kind", "Create", "GrantLeave", "SignalLeave", "WithdrawGrant", "DeleteNotRunning", "DeleteOverdue", "Remove"),
			label("reason", "", "ScaleDown", "Rollout", "NodeDrain", "Delete"),
		},
	}
}

// QWorkerRecommendedRequests is what right-sizing recommends.
func QWorkerRecommendedRequests() Gauge {
	return Gauge{
		Name:   "qscaler_qworker_recommended_requests",
		Help:   "What is recommended for a container of a QWorker's workers: cpu in cores, memory in bytes.",
		Labels: []Label{namespace(), qworker(), container(), label("resource", "cpu", "memory")},
	}
}

// QWorkerOutOfMemoryKills counts kills.
func QWorkerOutOfMemoryKills() Counter {
	return Counter{
		Name:   "qscaler_qworker_out_of_memory_kills_total",
		Help:   "Containers of a QWorker's workers that were killed out of memory.",
		Labels: []Label{namespace(), qworker(), container()},
	}
}

// QWorkerResizes counts raises of running pods.
func QWorkerResizes() Counter {
	return Counter{
		Name:   "qscaler_qworker_resizes_total",
		Help:   "Running pods of a QWorker that were raised in place, by result: succeeded, failed.",
		Labels: []Label{namespace(), qworker(), label("result", "succeeded", "failed")},
	}
}

// BrokerReadDuration is how long reads of brokers take.
func BrokerReadDuration() Histogram {
	return Histogram{
		Metric: Metric{
			Name:   "qscaler_broker_read_duration_seconds",
			Help:   "Time of one batched read of a broker, by result: ok or error.",
			Labels: []Label{label("result", "ok", "error")},
		},
		Buckets: prometheus.ExponentialBuckets(0.0001, 4, 8),
	}
}

// BrokerRings counts pushes of brokers.
func BrokerRings() Counter {
	return Counter{Name: "qscaler_broker_rings_total", Help: "Pushes of brokers that queues have changed."}
}

// BrokerUp shows which brokers answer. It is collected when somebody looks.
func BrokerUp() Gauge {
	return Gauge{
		Name:   "qscaler_broker_up",
		Help:   "Whether a broker answers: 1 or 0; absent until it was tried. The source is the ScalerConfig.",
		Labels: []Label{source()},
	}
}

// BrokerUnservedLists counts lists that no QWorker's metric counts. It is collected when somebody looks.
func BrokerUnservedLists() Gauge {
	return Gauge{
		Name:   "qscaler_broker_unserved_lists",
		Help:   "Lists, sorted sets or consumers in which workers hold tasks of queues that no QWorker serves, as the last search has found; absent until then. The source is the ScalerConfig.",
		Labels: []Label{source()},
	}
}

// NamespaceReadable shows in which namespaces the operator may read. It is collected when somebody looks.
func NamespaceReadable() Gauge {
	return Gauge{
		Name:   "qscaler_namespace_readable",
		Help:   "Whether the operator may read what it must in a namespace that it watches: 1 or 0; * is all namespaces.",
		Labels: []Label{namespace()},
	}
}
