package v1alpha1

// RedisLayout is how a queue is kept in Redis.
// +kubebuilder:validation:Enum=List;Stream;SortedSet
type RedisLayout string

// The layouts.
const (
	// RedisList is a list, and a list for each worker of what it holds.
	RedisList RedisLayout = "List"
	// RedisStream is a stream that is read by a consumer group.
	RedisStream RedisLayout = "Stream"
	// RedisSortedSet is a sorted set, and one for each worker of what it holds.
	RedisSortedSet RedisLayout = "SortedSet"
)

// RedisDue says which members of a sorted set are to be done.
// +kubebuilder:validation:Enum=Always;Seconds;Milliseconds
type RedisDue string

// What a score may say.
const (
	// RedisDueAlways is where each member is to be done, whatever its score.
	RedisDueAlways RedisDue = "Always"
	// RedisDueSeconds is where the score is the Unix time, in seconds, from which a member is to be done.
	RedisDueSeconds RedisDue = "Seconds"
	// RedisDueMilliseconds is the same in milliseconds.
	RedisDueMilliseconds RedisDue = "Milliseconds"
)

// RedisSentinel is a group of servers that Sentinels watch.
type RedisSentinel struct {
	// Name of the master, as the Sentinels know it (SENTINEL MASTERS lists the names).
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9._-]+$`
	Master string `json:"master"`

	// User name for the Sentinels themselves. config.username is for the servers. Absent: the default user.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Username string `json:"username,omitempty"`

	// Password for the Sentinels themselves, given in place or by reference. config.password is for the servers. Absent: none
	// is sent.
	// +optional
	Password *PasswordSource `json:"password,omitempty"`
}

// RedisConfig is what only Redis has.
// +kubebuilder:validation:XValidation:rule="!has(self.sentinel) || !has(self.cluster) || !self.cluster",message="redis has sentinel and cluster, and a Redis Cluster has no Sentinels; remove one"
// +kubebuilder:validation:XValidation:rule="!has(self.due) || (has(self.layout) && self.layout == 'SortedSet')",fieldPath=".due",message="redis.due is of sorted sets; set redis.layout to SortedSet, or remove redis.due"
type RedisConfig struct {
	// How the queues are kept: List, Stream or SortedSet. Default: List.
	//
	// It is of the ScalerConfig, and not of each QWorker, because it says how workers and operator speak with the broker, as
	// the other fields here do: whether they have consumer groups, which rights they need, and what the operator may return.
	// Where one Redis has queues of several layouts, each layout has a ScalerConfig of its own, with the same host.
	// +optional
	Layout RedisLayout `json:"layout,omitempty"`

	// Which members of a sorted set are to be done: Always for all, or those whose score is a Unix time that has come, in
	// Seconds or Milliseconds. Default: Always. Only with the layout SortedSet.
	// +optional
	Due RedisDue `json:"due,omitempty"`

	// Find the server by Redis Sentinel: host and port are those of the Sentinels, and the port is 26379 by default. A host
	// name may have the addresses of several Sentinels: each is tried. The operator and the workers go to the master that
	// they name. Absent: host is the server itself.
	// +optional
	Sentinel *RedisSentinel `json:"sentinel,omitempty"`

	// Whether host is a node of a Redis Cluster, or a name that leads to its nodes. The operator and the workers find the
	// others by it. Default: false.
	// +optional
	Cluster bool `json:"cluster,omitempty"`
}
