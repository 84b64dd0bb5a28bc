package mysql

import (
	"encoding/json"
	"net"
	"net/url"
	"strconv"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/sqlqueue"
	"github.com/quickube/qscaler/worker/contract"
)

// env is what a worker must know. The clients have no names in common; these are those of the servers' container images, and
// the two that libmysqlclient and MariaDB's connector read themselves. The password is in no URL: nothing could
// percent-encode that of a Secret there.
func env(s broker.Settings) []broker.Variable {
	var block sqlqueue.Block
	_ = json.Unmarshal(s.Own, &block) // what cannot be read is told by Parse
	port := strconv.Itoa(int(s.Port))
	address := url.URL{Scheme: "mysql", User: url.User(s.Username), Host: net.JoinHostPort(s.Host, port), Path: "/" + block.Database}
	return []broker.Variable{
		{Name: contract.EnvBrokerURL, Value: address.String()},
		{Name: "MYSQL_HOST", Value: s.Host}, {Name: "MYSQL_PORT", Value: port}, {Name: "MYSQL_TCP_PORT", Value: port},
		{Name: "MYSQL_DATABASE", Value: block.Database}, {Name: "MYSQL_USER", Value: s.Username},
		{Name: "MYSQL_PASSWORD", Password: true}, {Name: "MYSQL_PWD", Password: true},
	}
}
