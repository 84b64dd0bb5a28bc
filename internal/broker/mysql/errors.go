package mysql

import (
	"errors"
	"slices"

	library "github.com/go-sql-driver/mysql"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/sqlqueue"
)

// refusals are the numbers of a server's errors, and what they mean for a person.
// https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html and https://mariadb.com/kb/en/mariadb-error-codes/
var refusals = []struct {
	numbers []uint16
	reason  broker.Reason
	remedy  string
}{
	{[]uint16{wrongPassword, 1698}, broker.ReasonAuthenticationFailed, "correct config.username and config.password; a user is one for the hosts that it comes from ('qscaler'@'%'), and may have to use TLS (config.tls)"},
	{[]uint16{1130}, broker.ReasonAuthenticationFailed, "make a user for the host that the operator comes from, such as 'qscaler'@'%'"},
	{[]uint16{1820, 1862, 3118, 4150, 4151}, broker.ReasonAuthenticationFailed, "unlock the user, or set its password anew (ALTER USER)"},
	{[]uint16{1044}, broker.ReasonPermissionDenied, "grant the user SELECT on the table, or correct config.mysql.database"},
	{[]uint16{1142, 1143, 1227, 1370, 1356}, broker.ReasonPermissionDenied, "grant the user SELECT on the table; whoever has defined a view needs it, too"},
	{[]uint16{1792, 1290, 1836}, broker.ReasonPermissionDenied, "the query would write, and the operator only reads"},
	{[]uint16{1049}, broker.ReasonNotFound, "correct config.mysql.database"},
	{[]uint16{1146}, broker.ReasonNotFound, "correct the table and config.mysql.database, or create the table"},
	{[]uint16{1054}, broker.ReasonNotFound, "correct the name of the column"},
	{[]uint16{1267, 1270, 1271}, broker.ReasonWrongType, "texts of two collations are compared; convert the column to utf8mb4, or use COLLATE in the query"},
	{[]uint16{1969, 3024, 1317}, broker.ReasonTimeout, "the statement takes too long; the table needs an index, see docs/brokers/mysql.md"},
	{[]uint16{1205}, broker.ReasonTimeout, "somebody else has locked the table, such as a migration"},
	{[]uint16{1040, 1203, 1226}, broker.ReasonConnectionRefused, "raise its max_connections or the limits of the user, or end other connections"},
	{[]uint16{1129}, broker.ReasonConnectionRefused, "run FLUSH HOSTS (mysqladmin flush-hosts), and find out which client breaks off its logins"},
	{[]uint16{1053, 1927, 4031, 1152, 1184}, broker.ReasonConnectionLost, ""},
	{[]uint16{3159}, broker.ReasonTLSFailed, "set config.tls"},
	{[]uint16{1251, 1275, 1524, 2059}, broker.ReasonAuthenticationFailed, plugins},
}

// wrongPassword is the number of a refusal that the password can be the cause of.
const wrongPassword = 1045

const plugins = "have the user log in with caching_sha2_password, mysql_native_password or ed25519"

// classify puts a failure into words for a person.
func classify(err error, c Config) error {
	at := "mysql at " + c.Address()
	var (
		refused *library.MySQLError
		odd     sqlqueue.Strange
		already *broker.Error
		plugin  errPlugin
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
		return broker.Fail(broker.ReasonReadOnly, at, "the server is read-only, as a replica is, and what it knows may be old; point config.host to the primary", err)
	case errors.Is(err, errNoTLS):
		return broker.Fail(broker.ReasonTLSFailed, at, "the server speaks no TLS; remove config.tls, or give the server a certificate (ssl_cert, ssl_key)", err)
	case errors.Is(err, errSilent):
		return broker.Fail(broker.ReasonTimeout, at, "the connection is made, and the server says nothing; it hangs, or config.port is not that of MySQL", err)
	case errors.As(err, &plugin) && plugin.name == pluginClear:
		return broker.Fail(broker.ReasonTLSFailed, at, "the server asks for the password as it is, and everybody on the way could read it; set config.tls, or "+plugins, err)
	case errors.As(err, &plugin):
		return broker.Fail(broker.ReasonAuthenticationFailed, at, broker.Words(plugin.Error(), c.Password)+", which the operator does not do; "+plugins, err)
	}
	for _, own := range []error{errOdd, errTooMuch, errFile, errTimes, errPlaceholders} {
		if errors.Is(err, own) {
			return broker.Fail(broker.ReasonUnknown, at, own.Error(), own)
		}
	}
	return broker.Unreachable(at, err, c.TLS, c.Password)
}

func refusal(at string, refused *library.MySQLError, err error, c Config) error {
	said := broker.ErrorWords(refused.Message, c.Password)
	for _, r := range refusals {
		if slices.Contains(r.numbers, refused.Number) {
			text := "the server says: " + said
			if r.remedy != "" {
				text += "; " + r.remedy
			}
			if refused.Number == wrongPassword {
				return broker.Refused(r.reason, at, text, c.Password, err)
			}
			return broker.Fail(r.reason, at, text, err)
		}
	}
	return broker.Fail(broker.ReasonUnknown, at, "the server refuses: "+said, err)
}
