package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// BrokerType names the kind of broker that a ScalerConfig reaches.
// +kubebuilder:validation:Enum=beanstalkd;mysql;nats;postgres;rabbitmq;redis
type BrokerType string

// The types of brokers.
const (
	// BrokerBeanstalkd is a Beanstalkd server, whose queues are tubes.
	BrokerBeanstalkd BrokerType = "beanstalkd"
	// BrokerMySQL is a MySQL or MariaDB database, whose queues are rows of a table.
	BrokerMySQL BrokerType = "mysql"
	// BrokerNATS is a NATS server, whose queues are streams of JetStream.
	BrokerNATS BrokerType = "nats"
	// BrokerPostgres is a PostgreSQL database, whose queues are rows of a table.
	BrokerPostgres BrokerType = "postgres"
	// BrokerRabbitMQ is a RabbitMQ server, with its classic and quorum queues.
	BrokerRabbitMQ BrokerType = "rabbitmq"
	// BrokerRedis is a Redis (or Valkey) server whose queues are lists, streams or sorted sets.
	BrokerRedis BrokerType = "redis"
)

// ScalerConfigSpec says how to reach a broker.
// +kubebuilder:validation:XValidation:rule="self.type == 'redis' || !has(self.config.redis)",fieldPath=".config",message="the block config.redis belongs to the type redis; remove it, or correct the type"
// +kubebuilder:validation:XValidation:rule="self.type != 'beanstalkd' || !(has(self.config.username) || has(self.config.password) || has(self.config.worker) || has(self.config.database) || has(self.config.redis))",fieldPath=".config",message="beanstalkd has no users, no passwords and no databases; with this type, config takes host, port and tls"
// +kubebuilder:validation:XValidation:rule="self.type != 'rabbitmq' || !has(self.config.database)",fieldPath=".config",message="rabbitmq has virtual hosts and no databases; with this type, config takes host, port, username, password, worker, tls and rabbitmq"
// +kubebuilder:validation:XValidation:rule="self.type == 'rabbitmq' || !has(self.config.rabbitmq)",fieldPath=".config",message="config.rabbitmq is for the type rabbitmq; remove it, or set type to rabbitmq"
// +kubebuilder:validation:XValidation:rule="self.type == 'nats' || !has(self.config.nats)",fieldPath=".config",message="the block config.nats belongs to the type nats; remove it, or correct the type"
// +kubebuilder:validation:XValidation:rule="self.type != 'nats' || !has(self.config.database)",fieldPath=".config",message="nats has no databases; with this type, config takes host, port, username, password, worker, tls and nats"
// +kubebuilder:validation:XValidation:rule="self.type != 'nats' || !has(self.config.username) || has(self.config.password)",fieldPath=".config",message="config.username has no password; with the type nats a user has one"
// +kubebuilder:validation:XValidation:rule="self.type != 'nats' || !has(self.config.nats) || !has(self.config.nats.login) || self.config.nats.login == 'Password' || (has(self.config.password) && has(self.config.password.secret) && !has(self.config.username))",fieldPath=".config",message="with nats.login NKey or Credentials, password must have a secret, and username must be absent: the key says who it is"
// +kubebuilder:validation:XValidation:rule="self.type == 'postgres' || !has(self.config.postgres)",fieldPath=".config",message="the block config.postgres belongs to the type postgres; remove it, or correct the type"
// +kubebuilder:validation:XValidation:rule="self.type != 'postgres' || (has(self.config.postgres) && has(self.config.username) && (!has(self.config.worker) || has(self.config.worker.username)) && !has(self.config.database))",fieldPath=".config",message="with the type postgres, config takes host, port, username, password, worker, tls and postgres; postgres and all usernames are required, and the database is named by postgres.database"
// +kubebuilder:validation:XValidation:rule="!has(self.config.redis) || !has(self.config.redis.cluster) || !self.config.redis.cluster || !has(self.config.database) || self.config.database == 0",fieldPath=".config.database",message="a Redis Cluster has one database, number 0; remove database, or redis.cluster"
// +kubebuilder:validation:XValidation:rule="self.type == 'mysql' || !has(self.config.mysql)",fieldPath=".config",message="the block config.mysql belongs to the type mysql; remove it, or correct the type"
// +kubebuilder:validation:XValidation:rule="self.type != 'mysql' || (has(self.config.mysql) && has(self.config.username) && (!has(self.config.worker) || has(self.config.worker.username)) && !has(self.config.database))",fieldPath=".config",message="with the type mysql, config takes host, port, username, password, worker, tls and mysql; mysql and all usernames are required, and the database is named by mysql.database"
type ScalerConfigSpec struct {
	// The broker's type. Immutable: make another ScalerConfig for another type.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="type is immutable; create another ScalerConfig for another type of broker"
	Type BrokerType `json:"type"`

	// How to reach the broker. A change to host, port, username, database, worker, TLS, or the password's
	// reference is a new revision of every QWorker that uses this ScalerConfig, and rolls its workers.
	Config BrokerConfig `json:"config"`
}

// BrokerConfig is the address of a broker and the credentials for it.
type BrokerConfig struct {
	// Host name or IP address of the broker, as the operator and the workers reach it; without a scheme,
	// without a port.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[^:/@[:space:]]+$') || self.matches('^[0-9a-fA-F.]*:[0-9a-fA-F.]*:[0-9a-fA-F:.]*$')",message="host must be a host name or an IP address, without scheme, user and port; those have fields of their own"
	Host string `json:"host"`

	// Port of the broker, 1 to 65535, as a number or a string. Default: the usual one of its type: 6379 for
	// redis, 4222 for nats, 5672 for rabbitmq (set 5671 with tls), 11300 for beanstalkd, 5432 for
	// postgres, 3306 for mysql.
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? (self >= 1 && self <= 65535) : (self.matches('^[0-9]{1,5}$') && int(self) >= 1 && int(self) <= 65535)",message="port must be a number from 1 to 65535, such as 6379 or \"6379\""
	Port *intstr.IntOrString `json:"port,omitempty"`

	// User name (a Redis ACL user, a user of RabbitMQ, NATS or MySQL, a PostgreSQL role). Absent: the default user, which
	// is guest for rabbitmq; postgres and mysql have none. Not for beanstalkd.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Username string `json:"username,omitempty"`

	// Password, given in place or by reference. Absent: none is sent. Not for beanstalkd.
	// +optional
	Password *PasswordSource `json:"password,omitempty"`

	// What workers log in with, where that is to be another user than the operator's. Absent: username and
	// password. Not for beanstalkd.
	// +optional
	Worker *WorkerLogin `json:"worker,omitempty"`

	// Number of the Redis database, 0 or more. Default: 0. For redis alone.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Database int32 `json:"database,omitempty"`

	// Reach the broker over TLS. Absent: plain TCP. An empty object verifies the certificate by the
	// system's authorities and the host's name.
	// +optional
	TLS *TLSConfig `json:"tls,omitempty"`

	// What only Redis has. Refused with another type.
	// +optional
	Redis *RedisConfig `json:"redis,omitempty"`

	// What only NATS has. Refused with any other type.
	// +optional
	NATS *NATSConfig `json:"nats,omitempty"`

	// What only PostgreSQL has. Required with the type postgres, and refused with any other.
	// +optional
	Postgres *PostgresConfig `json:"postgres,omitempty"`

	// What only MySQL and MariaDB have. Required with the type mysql, and refused with any other.
	// +optional
	MySQL *MySQLConfig `json:"mysql,omitempty"`

	// Whether the operator returns the tasks of dead workers to their queue. On Redis it needs the
	// rights that docs/redis-layout.md lists. Beanstalkd, RabbitMQ and NATS return them by themselves, and of
	// PostgreSQL and MySQL the operator only reads, whatever this says.
	// Default: true.
	// +optional
	// +kubebuilder:default=true
	Reclaim *bool `json:"reclaim,omitempty"`

	// What only RabbitMQ has. For rabbitmq alone.
	// +optional
	RabbitMQ *RabbitMQConfig `json:"rabbitmq,omitempty"`
}

// RabbitMQConfig is what only RabbitMQ has.
type RabbitMQConfig struct {
	// Virtual host that has the queues, as rabbitmqctl list_vhosts names it. Default: "/".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	VHost string `json:"vhost,omitempty"`

	// Port of the management API, 1 to 65535; by default a server has it at 15672. It tells how many messages are in
	// flight, and by their connections which workers are busy. It is reached over TLS where config.tls is set. Absent: it is
	// not asked. Then the number of workers never falls below what was needed once.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	ManagementPort int32 `json:"managementPort,omitempty"`

	// The server's collect_statistics_interval, where its configuration sets another than 5s. What the management API
	// says is as old as that. 1s to 10m. Default: 5s.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.size() > 0 && self.matches('^([0-9]{1,6}([.][0-9]+)?h)?([0-9]{1,8}([.][0-9]+)?m)?([0-9]{1,10}([.][0-9]+)?s)?([0-9]{1,10}([.][0-9]+)?ms)?$') && duration(self) >= duration('1s') && duration(self) <= duration('10m')",message="statisticsInterval must be a duration from 1s to 10m, such as 5s"
	StatisticsInterval *metav1.Duration `json:"statisticsInterval,omitempty"`
}

// PasswordSource is where a password comes from: exactly one of value and secret.
// +kubebuilder:validation:XValidation:rule="has(self.value) != has(self.secret)",message="password must have exactly one of value and secret"
type PasswordSource struct {
	// The password itself. Whoever may read this ScalerConfig, or the worker pods, can read it; prefer secret.
	// +optional
	// +kubebuilder:validation:MinLength=1
	Value *string `json:"value,omitempty"`

	// A key of a Secret in the ScalerConfig's namespace. It is read again every 60 s and whenever the
	// broker refuses the password.
	// +optional
	Secret *SecretKeyReference `json:"secret,omitempty"`
}

// WorkerLogin is the user of the workers, with rights of its own.
type WorkerLogin struct {
	// User name (a Redis ACL user). Absent: the default user.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Username string `json:"username,omitempty"`

	// Password, given in place or by reference. Absent: none is sent.
	// +optional
	Password *PasswordSource `json:"password,omitempty"`
}

// SecretReference names a Secret in the same namespace.
type SecretReference struct {
	// Name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// SecretKeyReference names one key of a Secret in the same namespace.
type SecretKeyReference struct {
	// Name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// Key in the Secret's data.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`
}

// TLSConfig says how the broker's certificate is verified.
type TLSConfig struct {
	// Name expected in the certificate. Default: the host.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ServerName string `json:"serverName,omitempty"`

	// A key of a Secret with the PEM certificates of the authorities to trust. Default: the system's.
	// +optional
	CASecret *SecretKeyReference `json:"caSecret,omitempty"`

	// A Secret of the type kubernetes.io/tls with a client certificate (tls.crt) and its key (tls.key), for a
	// broker that wants one. The operator and the workers show it. Default: none.
	// +optional
	ClientCertSecret *SecretReference `json:"clientCertSecret,omitempty"`

	// Accept any certificate. For tests only. Default: false.
	// +optional
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

// ScalerConfigStatus is what the operator last saw of the broker.
type ScalerConfigStatus struct {
	// Whether the broker answers.
	// +optional
	Healthy bool `json:"healthy"`

	// The newest generation that this status describes; -1 before any operator has looked.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Healthy says whether the broker answers and, if not, why. Pushes says whether the broker tells the
	// operator of changes (True) or is polled (False), and why. Reclaims is False while the operator does not return
	// the tasks of dead workers, and says why; else it is absent. Suitable is False while the broker's version or its
	// settings endanger tasks, and says how; else it is absent.
	//
	// UnknownHolders is True while workers hold tasks of queues that no QWorker serves, and says in how many lists or sorted
	// sets, or as how many consumers; else it is absent.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ScalerConfig says how to reach a message broker. QWorkers of the same namespace refer to it by name.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=qsc,categories=qscaler
// +kubebuilder:printcolumn:name="TYPE",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="HOST",type=string,JSONPath=`.spec.config.host`
// +kubebuilder:printcolumn:name="HEALTHY",type=boolean,JSONPath=`.status.healthy`
// +kubebuilder:printcolumn:name="REASON",type=string,JSONPath=`.status.conditions[?(@.type=="Healthy")].reason`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
type ScalerConfig struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec ScalerConfigSpec `json:"spec"`
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status ScalerConfigStatus `json:"status,omitempty"`
}

// ScalerConfigList is a list of ScalerConfigs.
// +kubebuilder:object:root=true
type ScalerConfigList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ScalerConfig `json:"items"`
}
