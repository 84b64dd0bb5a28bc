package worker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/worker/contract"
)

// environment is what the operator tells a worker.
type environment struct {
	queue, pod, drainFile string
	redis                 rueidis.ClientOption
}

// readEnvironment reads the variables of package contract. getenv is os.Getenv.
func readEnvironment(getenv func(string) string) (environment, error) {
	e := environment{queue: getenv(contract.EnvQueue), pod: getenv(contract.EnvPodName), drainFile: getenv(contract.EnvDrainFile)}
	if e.drainFile == "" {
		e.drainFile = contract.DrainFile
	}
	var missing []string
	for _, name := range []string{contract.EnvQueue, contract.EnvPodName, contract.EnvBrokerAddress} {
		if getenv(name) == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return e, fmt.Errorf("the environment has no %s: QScaler sets it in the pods of a QWorker; set it yourself to run a worker elsewhere", strings.Join(missing, ", no "))
	}
	var err error
	e.redis, err = redisOption(getenv)
	return e, err
}

const (
	// replyTimeout is how long Redis may take to answer before its connection is given up.
	replyTimeout = 10 * time.Second
	// bufferSize and ringScale (a power of two) are for a few commands at a time. The client library's own defaults
	// take more than 1 MiB for each connection.
	bufferSize = 32 << 10
	ringScale  = 8
)

func redisOption(getenv func(string) string) (rueidis.ClientOption, error) {
	o := rueidis.ClientOption{
		InitAddress:       []string{getenv(contract.EnvBrokerAddress)},
		Username:          getenv(contract.EnvBrokerUsername),
		Password:          getenv(contract.EnvBrokerPassword),
		ForceSingleClient: true,
		DisableCache:      true,
		DisableRetry:      true, // what to do after an error is decided here
		ConnWriteTimeout:  replyTimeout,
		ClientSetInfo:     []string{},
		AlwaysPipelining:  true,
		// One connection, so that commands come to Redis in the order in which they were sent; what waits for a task has
		// its own.
		PipelineMultiplex: -1, BlockingPipeline: -1,
		ReadBufferEachConn: bufferSize, WriteBufferEachConn: bufferSize, RingScaleEachConn: ringScale,
	}
	if broker := getenv(contract.EnvBroker); broker != "" && broker != "redis" {
		return o, fmt.Errorf("%s is %q; this package works on redis", contract.EnvBroker, broker)
	}
	if text := getenv(contract.EnvBrokerDatabase); text != "" {
		database, err := strconv.Atoi(text)
		if err != nil || database < 0 {
			return o, fmt.Errorf("%s is %q; it must be a number, 0 or more", contract.EnvBrokerDatabase, text)
		}
		o.SelectDB = database
	}
	host, port, err := net.SplitHostPort(o.InitAddress[0])
	if number, wrong := strconv.ParseUint(port, 10, 16); err != nil || wrong != nil || number == 0 || host == "" {
		return o, fmt.Errorf("%s is %q; it must be host:port, such as redis:6379 or [::1]:6379", contract.EnvBrokerAddress, o.InitAddress[0])
	}
	secure, err := boolean(getenv, contract.EnvBrokerTLS)
	if err != nil {
		return o, err
	}
	insecure, err := boolean(getenv, contract.EnvBrokerTLSInsecure)
	if err != nil || !secure {
		return o, err
	}
	o.TLSConfig = &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: host,
		InsecureSkipVerify: insecure, //nolint:gosec // only where the ScalerConfig says so
	}
	if name := getenv(contract.EnvBrokerTLSServerName); name != "" {
		o.TLSConfig.ServerName = name
	}
	if pem := getenv(contract.EnvBrokerTLSCA); pem != "" {
		o.TLSConfig.RootCAs = x509.NewCertPool()
		if !o.TLSConfig.RootCAs.AppendCertsFromPEM([]byte(pem)) {
			return o, errors.New(contract.EnvBrokerTLSCA + " has no PEM certificate")
		}
	}
	return o, nil
}

// boolean reads a variable that is true, false or empty. What was meant by anything else must not be guessed:
// "1" or "True" would send a password in the clear.
func boolean(getenv func(string) string, name string) (bool, error) {
	switch text := getenv(name); text {
	case "true":
		return true, nil
	case "", "false":
		return false, nil
	default:
		return false, fmt.Errorf("%s is %q; it must be true, false or empty", name, text)
	}
}

// hasLeave reports whether the drain file is not empty. It is opened by path each time, because the kubelet
// replaces it; one that cannot be read is no grant.
func hasLeave(path string) (reason string, leave bool) {
	data, err := os.ReadFile(path)
	return strings.TrimSpace(string(data)), err == nil && len(data) > 0
}
