package worker

import (
	"cmp"
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
	"github.com/quickube/qscaler/worker/internal/locate"
)

// environment is what the operator tells a worker.
type environment struct {
	queue, pod, drainFile string
	redis                 rueidis.ClientOption
	server                locate.Locator
}

// readEnvironment reads the variables of package contract. getenv is os.Getenv.
func readEnvironment(getenv func(string) string) (environment, error) {
	e := environment{queue: getenv(contract.EnvQueue), pod: getenv(contract.EnvPodName), drainFile: cmp.Or(getenv(contract.EnvDrainFile), contract.DrainFile)}
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
	if e.redis, err = redisOption(getenv); err != nil {
		return e, err
	}
	e.server, err = locator(getenv, e.redis, e.queue)
	return e, err
}

const (
	// replyTimeout is how long Redis may take to answer before the connection is closed.
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
		// One connection, so that commands come to Redis in the order in which they were sent. A command that waits
		// for a task has a connection of its own.
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
	o.TLSConfig, err = tlsConfig(getenv, insecure)
	return o, err
}

// tlsConfig reads the files that the variables name, and the authorities that a variable has itself. Without a server name,
// each server's certificate must be for the host by which it is reached.
func tlsConfig(getenv func(string) string, insecure bool) (*tls.Config, error) {
	config := &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: getenv(contract.EnvBrokerTLSServerName),
		InsecureSkipVerify: insecure, //nolint:gosec // only where the ScalerConfig says so
	}
	trust := func(pem []byte, source string) error {
		if config.RootCAs == nil {
			config.RootCAs = x509.NewCertPool()
		}
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return errors.New(source + " has no PEM certificate")
		}
		return nil
	}
	if path := getenv(contract.EnvBrokerTLSCAFile); path != "" {
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading the file that %s names, %w", contract.EnvBrokerTLSCAFile, err)
		}
		if err := trust(pem, path); err != nil {
			return nil, err
		}
	}
	if pem := getenv(contract.EnvBrokerTLSCA); pem != "" {
		if err := trust([]byte(pem), contract.EnvBrokerTLSCA); err != nil {
			return nil, err
		}
	}
	cert, key := getenv(contract.EnvBrokerTLSCertFile), getenv(contract.EnvBrokerTLSKeyFile)
	if (cert == "") != (key == "") {
		return nil, fmt.Errorf("%s is %q and %s is %q; set both, or neither", contract.EnvBrokerTLSCertFile, cert, contract.EnvBrokerTLSKeyFile, key)
	}
	if cert == "" {
		return config, nil
	}
	load := func() (*tls.Certificate, error) {
		certificate, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("reading the client certificate %s and its key %s, %w", cert, key, err)
		}
		return &certificate, nil
	}
	// Read anew for each connection: such certificates are renewed while a worker runs.
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	_, err := load()
	return config, err
}

// boolean reads a variable that is true, false or empty. Any other value is an error: to take "1" or "True" for false
// would send a password unencrypted.
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
