package nats

import (
	"net"
	"strconv"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/worker/contract"
)

// env is what a worker must know beside the address and the login: a URL in the form that the common clients take. It has
// no password in it, which would be a copy of a Secret; clients take that beside the URL.
func env(s broker.Settings) []broker.Variable {
	scheme := "nats"
	if s.TLS != nil {
		scheme = "tls"
	}
	return []broker.Variable{{Name: contract.EnvBrokerURL, Value: scheme + "://" + net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port)))}}
}

// credentialsFile is where a worker finds a file of credentials: clients take its name, and read it again when they
// connect again.
func credentialsFile(s broker.Settings) string {
	if o, err := parseOwn(s.Own); err != nil || o.Login != loginCredentials {
		return ""
	}
	return "user.creds"
}

func trimsPassword(s broker.Settings) bool {
	o, err := parseOwn(s.Own)
	return err == nil && Login{Way: o.Login}.trims()
}
