package postgres

import (
	"encoding/json"
	"net"
	"net/url"
	"strconv"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/sqlqueue"
	"github.com/quickube/qscaler/worker/contract"
)

// env is what a worker must know, as the common clients take it: libpq and all that is made of it, and those that read its
// variables. The password is in no URL: nothing could percent-encode that of a Secret there.
func env(s broker.Settings) []broker.Variable {
	var block sqlqueue.Block
	_ = json.Unmarshal(s.Own, &block) // what cannot be read is told by Parse
	mode, authorities := sslMode(s)
	port := strconv.Itoa(int(s.Port))
	address := url.URL{
		Scheme: "postgresql", User: url.User(s.Username), Host: net.JoinHostPort(s.Host, port), Path: "/" + block.Database,
		RawQuery: url.Values{"sslmode": {mode}}.Encode(),
	}
	variables := []broker.Variable{
		{Name: contract.EnvBrokerURL, Value: address.String()},
		{Name: "PGHOST", Value: s.Host}, {Name: "PGPORT", Value: port}, {Name: "PGDATABASE", Value: block.Database},
		{Name: "PGUSER", Value: s.Username}, {Name: "PGSSLMODE", Value: mode},
	}
	if authorities != "" {
		variables = append(variables, broker.Variable{Name: "PGSSLROOTCERT", Value: authorities})
	}
	return append(variables, broker.Variable{Name: "PGPASSWORD", Password: true})
}

// sslMode is what config.tls is in the words of libpq, and where the authorities are. Those of the system it knows by that
// word from version 16 on.
func sslMode(s broker.Settings) (mode, authorities string) {
	switch {
	case s.TLS == nil:
		return "disable", ""
	case s.TLS.InsecureSkipVerify:
		return "require", ""
	case s.CA == "":
		return "verify-full", "system"
	}
	return "verify-full", s.CA
}
