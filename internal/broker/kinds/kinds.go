// Package kinds is the list of the kinds of brokers that the operator knows. Only internal/operator imports it, and
// hands the list on as a value.
package kinds

import (
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/beanstalkd"
	"github.com/quickube/qscaler/internal/broker/mysql"
	"github.com/quickube/qscaler/internal/broker/nats"
	"github.com/quickube/qscaler/internal/broker/postgres"
	"github.com/quickube/qscaler/internal/broker/rabbitmq"
	"github.com/quickube/qscaler/internal/broker/redis"
)

// All are the kinds, one line each.
func All() broker.Kinds {
	return broker.Kinds{
		beanstalkd.Kind(),
		mysql.Kind(),
		nats.Kind(),
		rabbitmq.Kind(),
		postgres.Kind(),
		redis.Kind(),
	}
}
