// Package contract holds the words that the operator and the workers agree on: the path of the drain
// file, the names of the injected environment variables, and the keys of labels and annotations.
//
// They are fixed: workers in any language rely on them. The package imports nothing and never will, so
// that both sides can.
package contract

// Drain file.
//
// When the file is not empty, the worker finishes the task it is doing, takes no other, and exits with
// code 0. The file's content is the reason, one of the Reason constants.
const (
	// DrainDirectory is the directory that is mounted into every container of a worker pod.
	DrainDirectory = "/etc/qscaler"
	// DrainFileName is the name of the drain file in DrainDirectory.
	DrainFileName = "drain"
	// DrainFile is the path of the drain file. The kubelet swaps it as a symlink: re-open it by path.
	DrainFile = DrainDirectory + "/" + DrainFileName
	// DrainVolume is the name of the downward-API volume that holds the drain file.
	DrainVolume = "qscaler-drain"
)

// Files of the broker.
//
// They are in a volume of their own: the kubelet refreshes no file of a volume while a Secret of it is missing, and the
// drain file must not depend on one.
const (
	// BrokerDirectory is the directory that is mounted into every container where the broker is reached over TLS with
	// certificates that the ScalerConfig names, or by a file of credentials.
	BrokerDirectory = "/etc/qscaler-broker"
	// BrokerVolume is the name of the volume.
	BrokerVolume = "qscaler-broker"
	// BrokerCAFile has the PEM certificates of the authorities to trust.
	BrokerCAFile = "ca.crt"
	// BrokerCertFile and BrokerKeyFile have the client certificate and its key.
	BrokerCertFile = "tls.crt"
	BrokerKeyFile  = "tls.key"
)

// Reason says why a worker may leave.
type Reason string

// The reasons, as they stand in the drain file.
const (
	// ReasonScaleDown means that the queue needs fewer workers.
	ReasonScaleDown Reason = "ScaleDown"
	// ReasonRollout means that a newer revision takes the worker's place.
	ReasonRollout Reason = "Rollout"
	// ReasonNodeDrain means that the worker's node is being drained.
	ReasonNodeDrain Reason = "NodeDrain"
	// ReasonDelete means that the QWorker is being deleted.
	ReasonDelete Reason = "Delete"
)

// Annotations of worker pods.
const (
	// AnnotationDrain is projected into the drain file; its value is the Reason. Its presence is the grant.
	AnnotationDrain = "quickube.com/drain"
	// AnnotationDrainSince is written together with AnnotationDrain: the time of the grant (RFC 3339) and
	// the worker container's restart count then, separated by a comma.
	AnnotationDrainSince = "quickube.com/drain-since"
)

// Labels of worker pods and of the revisions they are made from.
const (
	// LabelQWorkerUID holds the UID of the owning QWorker.
	LabelQWorkerUID = "quickube.com/qworker-uid"
	// LabelQWorker holds the name of the owning QWorker, where it is short enough for a label (63 characters).
	LabelQWorker = "quickube.com/qworker"
	// LabelPodSpecHash holds the hash of the revision that the pod was made from.
	LabelPodSpecHash = "quickube.com/pod-spec-hash"
	// KeyPrefix is the prefix of every label and annotation key that belongs to QScaler.
	KeyPrefix = "quickube.com/"
)

// Environment variables of every container of a worker pod.
const (
	// EnvDrainFile holds DrainFile.
	EnvDrainFile = "QSCALER_DRAIN_FILE"
	// EnvQWorkerName holds the name of the QWorker.
	EnvQWorkerName = "QWORKER_NAME"
	// EnvPodSpecHash holds the hash of the revision that was published when the pod was created.
	EnvPodSpecHash = "POD_SPEC_HASH"
	// EnvPodName holds the pod's name. HOSTNAME is cut at 63 characters, this is not.
	EnvPodName = "POD_NAME"
	// EnvQueue holds the name of the queue.
	EnvQueue = "QSCALER_QUEUE"
	// EnvConsumerGroup holds the name of the consumer group; it is absent where the QWorker has none.
	EnvConsumerGroup = "QSCALER_CONSUMER_GROUP"
	// EnvBroker holds the broker's type, such as "redis".
	EnvBroker = "QSCALER_BROKER"
	// EnvBrokerCredentialsFile holds the path of a file with what the worker logs in with, where its client wants a file; there
	// is no EnvBrokerPassword then.
	EnvBrokerCredentialsFile = "QSCALER_BROKER_CREDENTIALS_FILE"
	// EnvBrokerURL holds the broker's URL, as the common clients of its type take it, without the password; it is absent for
	// types whose clients take none.
	EnvBrokerURL = "QSCALER_BROKER_URL"
	// EnvBrokerAddress holds the broker's host:port; an IPv6 host is in brackets.
	EnvBrokerAddress = "QSCALER_BROKER_ADDRESS"
	// EnvBrokerUsername holds the user name; it is absent where the ScalerConfig has none.
	EnvBrokerUsername = "QSCALER_BROKER_USERNAME"
	// EnvBrokerPassword holds the password; it is absent where the ScalerConfig has none.
	EnvBrokerPassword = "QSCALER_BROKER_PASSWORD"
	// EnvBrokerDatabase holds the number of the Redis database; it is absent where it is 0.
	EnvBrokerDatabase = "QSCALER_BROKER_DATABASE"
	// EnvRedisSentinelMaster holds the name of the master that the Sentinel at EnvBrokerAddress is asked for; it is absent where
	// no Sentinel is.
	EnvRedisSentinelMaster = "QSCALER_REDIS_SENTINEL_MASTER"
	// EnvRedisSentinelUsername and EnvRedisSentinelPassword hold what the Sentinels themselves are logged in to with; they are
	// absent where the Sentinels ask for none.
	EnvRedisSentinelUsername = "QSCALER_REDIS_SENTINEL_USERNAME"
	EnvRedisSentinelPassword = "QSCALER_REDIS_SENTINEL_PASSWORD"
	// EnvRedisCluster is "true" where EnvBrokerAddress is a node of a Redis Cluster, and absent otherwise.
	EnvRedisCluster = "QSCALER_REDIS_CLUSTER"
	// EnvBrokerTLS is "true" where the broker is to be reached over TLS, and absent otherwise.
	EnvBrokerTLS = "QSCALER_BROKER_TLS"
	// EnvBrokerTLSServerName holds the name expected in the broker's certificate, where it is not the host's.
	EnvBrokerTLSServerName = "QSCALER_BROKER_TLS_SERVER_NAME"
	// EnvBrokerTLSInsecure is "true" where the broker's certificate is not to be verified, and absent otherwise.
	EnvBrokerTLSInsecure = "QSCALER_BROKER_TLS_INSECURE_SKIP_VERIFY"
	// EnvBrokerTLSCAFile holds the path of the PEM certificates of the authorities to trust, where the ScalerConfig
	// names any.
	EnvBrokerTLSCAFile = "QSCALER_BROKER_TLS_CA_FILE"
	// EnvBrokerTLSCA holds such certificates themselves. The operator does not set it: a variable of 128 KiB and more
	// keeps a container from starting.
	EnvBrokerTLSCA = "QSCALER_BROKER_TLS_CA"
	// EnvBrokerTLSCertFile and EnvBrokerTLSKeyFile hold the paths of the client certificate and its key, where the
	// ScalerConfig names one.
	EnvBrokerTLSCertFile = "QSCALER_BROKER_TLS_CERT_FILE"
	EnvBrokerTLSKeyFile  = "QSCALER_BROKER_TLS_KEY_FILE"
)
