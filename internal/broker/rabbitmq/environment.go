package rabbitmq

import (
	"net"
	"net/url"
	"strconv"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/worker/contract"
)

// env is what a worker must know beside the address and the login: a URL with the virtual host, in the form that the common
// clients take. It has neither user nor password in it: a password of a Secret would be a copy of it, and Kubernetes, which
// could put one together of variables, does not encode what a URL must not have as it is.
func env(s broker.Settings) []broker.Variable {
	o, err := parseOwn(s.Own)
	if err != nil {
		return nil // Parse says so
	}
	scheme := "amqp"
	if s.TLS != nil {
		scheme = "amqps"
	}
	at := net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port)))
	return []broker.Variable{{Name: contract.EnvBrokerURL, Value: scheme + "://" + at + "/" + url.PathEscape(o.VHost)}}
}
