package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/quickube/qscaler/internal/broker"
)

// strange is an answer that no RabbitMQ gives.
type strange struct{ what string }

func (s strange) Error() string { return s.what + "; is it RabbitMQ, and is the port the right one?" }

// status is an answer of the management API other than what was asked for.
type status struct {
	code int
	text string
}

func (s status) Error() string { return fmt.Sprintf("%d %s", s.code, s.text) }

// Texts by which servers tell apart what has one code.
const (
	noSuchQueue  = "NOT_FOUND - no queue "
	noManagement = "Not management user"
)

// failed puts what ended an exchange into words for a person. The context's end, and what the guard has found, say more
// than the library, which sees a connection that ends.
func (c Config) failed(ctx context.Context, g *guard, err error) error {
	spoke, found := g.failure()
	var (
		refused *amqp.Error
		odd     strange
	)
	switch {
	case errors.As(found, &odd):
		return c.classify(found, true)
	case ctx.Err() != nil:
		return c.classify(ctx.Err(), spoke)
	case errors.Is(err, amqp.ErrCredentials) && spoke, errors.As(err, &refused) && refused.Server, errors.As(err, &odd), found == nil:
		return c.classify(err, true)
	}
	return c.classify(found, spoke)
}

// classify puts a failure of AMQP into words for a person.
func (c Config) classify(err error, spoke bool) error {
	at := "rabbitmq at " + c.Address
	var (
		refused *amqp.Error
		odd     strange
	)
	fail := func(reason broker.Reason, explained string) error {
		return broker.Refused(reason, at, explained, c.Password, err)
	}
	switch {
	case errors.As(err, &odd):
		return fail(broker.ReasonUnknown, odd.Error())
	case errors.Is(err, amqp.ErrCredentials), errors.Is(err, amqp.ErrSASL):
		return fail(broker.ReasonAuthenticationFailed, fmt.Sprintf("the server refuses the password of user %q, or knows no such user; correct config.username and config.password", c.username()))
	case errors.As(err, &refused) && refused.Server:
		reason, explained := c.refusal(refused)
		return fail(reason, explained)
	case errors.Is(err, amqp.ErrClosed):
		err = net.ErrClosed
	case !spoke && errors.Is(err, context.DeadlineExceeded):
		return fail(broker.ReasonTimeout, "the server says nothing; does it hang, or is config.port another than that of AMQP (5672)?")
	case !spoke && c.TLS == nil && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)):
		return fail(broker.ReasonConnectionLost, "the server closed the connection before it said anything; is config.port that of AMQP (5672)? If it speaks TLS, set config.tls, and config.port 5671")
	}
	return broker.Unreachable(at, err, c.TLS, c.Password)
}

// refusal is what the server says when it ends a connection.
func (c Config) refusal(e *amqp.Error) (reason broker.Reason, explained string) {
	said := broker.Words(e.Reason, c.Password)
	switch e.Code {
	case amqp.AccessRefused:
		return broker.ReasonAuthenticationFailed, fmt.Sprintf("the server refuses user %q: %s; correct config.username and config.password", c.username(), said)
	case amqp.NotAllowed:
		if strings.Contains(e.Reason, "not found") {
			return broker.ReasonVHostNotFound, fmt.Sprintf("there is no virtual host %q; correct config.rabbitmq.vhost, or run rabbitmqctl add_vhost", c.vhost())
		}
		return broker.ReasonPermissionDenied, fmt.Sprintf("the server refuses user %q: %s; run rabbitmqctl set_permissions for it, as docs/brokers/rabbitmq.md says", c.username(), said)
	case amqp.ConnectionForced:
		return broker.ReasonConnectionLost, "the server ends the connection: " + said
	case amqp.ResourceError, amqp.InternalError:
		return broker.ReasonUnknown, "the server cannot: " + said
	}
	return broker.ReasonUnknown, "the server refuses: " + said
}

func (c Config) username() string { return broker.Words(c.Username, c.Password) }
func (c Config) vhost() string    { return broker.Words(c.VHost, c.Password) }

// queueError is why one queue cannot be read, whose server has ended a channel for it.
func (c Config) queueError(queue string, e *amqp.Error) error {
	name, said := broker.Words(queue, c.Password), broker.Words(e.Reason, c.Password)
	reason, remedy := broker.ReasonUnknown, "look into the server's log"
	switch e.Code {
	case amqp.AccessRefused:
		reason, remedy = broker.ReasonPermissionDenied, fmt.Sprintf("give user %q the right to it by rabbitmqctl set_permissions", c.username())
	case amqp.ResourceLocked:
		reason, remedy = broker.ReasonPermissionDenied, "the queue is exclusive to one connection; use one that is not"
	case amqp.NotFound:
		remedy = "the queue is there, and the node that has it is not; start that"
	}
	return &broker.Error{Reason: reason, Err: e, Message: fmt.Sprintf("queue %q: the server refuses: %s; %s", name, said, remedy)}
}

// managementFailed puts a failure of the management API into words for a person.
func (c Config) managementFailed(ctx context.Context, err error) error {
	at := "the management API of rabbitmq at " + c.Management
	if cause := ctx.Err(); cause != nil {
		err = cause
	}
	var (
		answer status
		odd    strange
	)
	fail := func(reason broker.Reason, explained string) error {
		return broker.Refused(reason, at, explained, c.Password, err)
	}
	switch {
	case errors.As(err, &odd):
		return fail(broker.ReasonUnknown, odd.Error())
	case errors.As(err, &answer):
		reason, explained := c.answered(answer)
		return fail(reason, explained)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.Contains(err.Error(), "malformed HTTP"), strings.Contains(err.Error(), "HTTP response to HTTPS"):
		if c.TLS != nil && strings.Contains(err.Error(), "HTTP response to HTTPS") {
			return fail(broker.ReasonTLSFailed, "the server does not speak TLS there; config.tls is for both ports: set config.rabbitmq.managementPort to the one for TLS (15671), which the management plugin must be configured for")
		}
		return fail(broker.ReasonUnknown, "the server does not speak HTTP there; is config.rabbitmq.managementPort that of the management API (15672), and its plugin enabled?"+c.maybeTLS())
	}
	return broker.Unreachable(at, withoutURL(err), c.TLS, c.Password)
}

// maybeTLS is a hint for who speaks plainly to a server that does not.
func (c Config) maybeTLS() string {
	if c.TLS == nil {
		return " If it speaks TLS, set config.tls"
	}
	return ""
}

// answered is a refusal of the management API.
func (c Config) answered(s status) (reason broker.Reason, explained string) {
	said := broker.Words(s.text, c.Password)
	switch {
	case strings.Contains(s.text, noManagement):
		return broker.ReasonPermissionDenied, fmt.Sprintf("user %q may not use it; run rabbitmqctl set_user_tags %s monitoring", c.username(), c.username())
	case s.code == http.StatusUnauthorized, s.code == http.StatusForbidden:
		return broker.ReasonAuthenticationFailed, fmt.Sprintf("it refuses user %q: %s; correct config.username and config.password, and give the user the tag monitoring", c.username(), said)
	case s.code == http.StatusNotFound:
		return broker.ReasonVHostNotFound, fmt.Sprintf("it knows no virtual host %q, or is no management API; correct config.rabbitmq", c.vhost())
	}
	return broker.ReasonUnknown, fmt.Sprintf("it refuses with %d: %s", s.code, said)
}
