package postgres

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/sqlqueue"
)

// refusals are what the codes of a server's errors begin with, and what they mean for a person.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
var refusals = []struct {
	code   string
	reason broker.Reason
	remedy string
}{
	{wrongPassword, broker.ReasonAuthenticationFailed, "correct config.username and config.password"},
	{"28", broker.ReasonAuthenticationFailed, "correct config.username and config.password; if it finds no entry in pg_hba.conf, add one, or set config.tls"},
	{"3D000", broker.ReasonNotFound, "correct config.postgres.database"},
	{"3F000", broker.ReasonNotFound, "correct config.postgres.schema"},
	{"42P01", broker.ReasonNotFound, "correct the table and config.postgres.schema, or create the table"},
	{"42703", broker.ReasonNotFound, "correct the name of the column"},
	{"42883", broker.ReasonWrongType, "a column has a type that cannot be compared with a text or a time; use config.postgres.query, with a cast"},
	{"42804", broker.ReasonWrongType, "a column has another type than it must have"},
	{"22", broker.ReasonWrongType, "a value does not fit the type of its column"},
	{"42501", broker.ReasonPermissionDenied, "grant the user USAGE on the schema and SELECT on the table"},
	{readOnly, broker.ReasonPermissionDenied, "the query would write, and the operator only reads"},
	{"57014", broker.ReasonTimeout, "the statement takes too long; the table needs an index, see docs/brokers/postgres.md"},
	{"55P03", broker.ReasonTimeout, "somebody else has locked the table, such as a migration"},
	{"57P03", broker.ReasonLoading, "it is starting or stopping"},
	{"57P", broker.ReasonConnectionLost, ""},
	{"53300", broker.ReasonConnectionRefused, "raise its max_connections, or end other connections"},
}

// wrongPassword is the code of a refusal that the password can be the cause of.
const wrongPassword = "28P01"

// classify puts a failure into words for a person.
func classify(err error, c Config) error {
	at := "postgres at " + c.Address()
	var (
		refused *pgconn.PgError
		odd     sqlqueue.Strange
		already *broker.Error
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return refusal(at, refused, err, c)
	case errors.As(err, &already):
		return broker.Fail(already.Reason, at, already.Message, err)
	case errors.As(err, &odd):
		return broker.Fail(broker.ReasonUnknown, at, odd.What, err)
	case errors.Is(err, errReplica):
		return broker.Fail(broker.ReasonReadOnly, at, "the server is a standby, and what it knows may be old; point config.host to the primary", err)
	case errors.Is(err, errOdd), errors.Is(err, errTooMuch):
		reason, text := errOdd, errOdd.Error()
		if errors.Is(err, errTooMuch) {
			reason, text = errTooMuch, errTooMuch.Error()
		}
		return broker.Fail(broker.ReasonUnknown, at, text, reason)
	case c.TLS != nil && strings.Contains(err.Error(), "server refused TLS connection"):
		return broker.Fail(broker.ReasonTLSFailed, at, "the server speaks no TLS; remove config.tls, or set ssl = on in postgresql.conf", err)
	case strings.Contains(err.Error(), "require_auth check failed"):
		return broker.Fail(broker.ReasonTLSFailed, at, "the server asks for the password as it is, and everybody on the way could read it; set config.tls, or have the server use scram-sha-256", err)
	}
	return broker.Unreachable(at, err, c.TLS, c.Password)
}

func refusal(at string, refused *pgconn.PgError, err error, c Config) error {
	said := broker.Words(refused.Message, c.Password)
	for _, r := range refusals {
		if strings.HasPrefix(refused.Code, r.code) {
			text := "the server says: " + said
			if r.remedy != "" {
				text += "; " + r.remedy
			}
			if r.code == wrongPassword {
				return broker.Refused(r.reason, at, text, c.Password, err)
			}
			return broker.Fail(r.reason, at, text, err)
		}
	}
	return broker.Fail(broker.ReasonUnknown, at, "the server refuses: "+said, err)
}
