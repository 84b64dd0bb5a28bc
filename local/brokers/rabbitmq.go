package brokers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/rabbitmqserver"
)

// rabbitMQStatistics is how old the server's statistics may be: less than by default, so that a person sees the fleet
// follow. It is the least that a ScalerConfig takes.
const rabbitMQStatistics = time.Second

// rabbitMQAnswer is how long the server may take for an answer.
const rabbitMQAnswer = 10 * time.Second

// RabbitMQ is a real rabbitmq-server. Its queues are durable classic ones.
func RabbitMQ() Broker {
	return Broker{
		Name: "rabbitmq", Start: startRabbitMQ, Config: rabbitMQConfig,
		Image: exampleworkers.RabbitMQ, Example: "worker-rabbitmq", QWorker: "example-worker-rabbitmq", ScalerConfig: "rabbitmq",
		MissingWorker: missingPika, Verb: "publish", Connect: connectRabbitMQ, Push: pushRabbitMQ, MissingClient: missingCurl,
	}
}

func startRabbitMQ(ctx context.Context, o Options) (Server, error) {
	o.Progress("starting rabbitmq-server, which takes several seconds")
	server, err := rabbitmqserver.Start(ctx, rabbitmqserver.Options{
		Dir: o.Dir, StatisticsInterval: rabbitMQStatistics, Password: o.Password,
	})
	if err != nil {
		return nil, err
	}
	return server, nil
}

func missingPika(ctx context.Context) error {
	_, err := exampleworkers.PythonWith(ctx, "pika")
	return err
}

func rabbitMQConfig(server Server, password *v1alpha1.PasswordSource) v1alpha1.ScalerConfigSpec {
	if password == nil {
		password = &v1alpha1.PasswordSource{Value: ptr.To(rabbitmqserver.Password)}
	}
	return v1alpha1.ScalerConfigSpec{Type: v1alpha1.BrokerRabbitMQ, Config: v1alpha1.BrokerConfig{
		Host: "127.0.0.1", Port: ptr.To(intstr.FromInt(server.Port())), Password: password,
		RabbitMQ: &v1alpha1.RabbitMQConfig{
			ManagementPort: managementPort(server), StatisticsInterval: &metav1.Duration{Duration: rabbitMQStatistics},
		},
	}}
}

func managementPort(server Server) int32 {
	return int32(server.(*rabbitmqserver.Server).ManagementPort()) //nolint:gosec // a port
}

// pushRabbitMQ uses the management API: the server comes with no client that publishes.
func pushRabbitMQ(server Server) string {
	api := "http://127.0.0.1:" + strconv.Itoa(int(managementPort(server))) + "/api"
	curl := "curl -s -u " + rabbitmqserver.User + ":" + rabbitmqserver.Password
	return curl + ` -X PUT ` + api + `/queues/%2F/task-queue -d '{"durable":true}'; for i in 1 2 3 4 5 6; do ` + curl + ` ` + api +
		`/exchanges/%2F/amq.default/publish -d '{"properties":{"delivery_mode":2},"routing_key":"task-queue","payload_encoding":"string",` +
		`"payload":"{\"id\":\"t-'$i'\",\"ms\":5000}"}'; done`
}

func missingCurl() string {
	if _, err := exec.LookPath("curl"); err != nil {
		return "curl is not in the PATH: on Debian and Ubuntu, apt-get install curl"
	}
	return ""
}

// rabbitMQQueue is a queue of the virtual host "/".
type rabbitMQQueue struct {
	conn *amqp.Connection
	// publish confirms; ask is for questions. A channel serves one goroutine.
	publish, ask *amqp.Channel
	name         string
	counts       string // the URL of the numbers of all queues
	password     string
}

func connectRabbitMQ(_ context.Context, server Server, password, queue string) (Queue, error) {
	password = cmp.Or(password, rabbitmqserver.Password)
	conn, err := amqp.DialConfig("amqp://"+server.Addr(), amqp.Config{
		SASL: []amqp.Authentication{&amqp.PlainAuth{Username: rabbitmqserver.User, Password: password}}, Dial: amqp.DefaultDial(rabbitMQAnswer),
	})
	if err != nil {
		return nil, fmt.Errorf("connecting to the %s, %w", server, err)
	}
	q := &rabbitMQQueue{
		conn: conn, name: queue, password: password,
		counts: fmt.Sprintf("http://127.0.0.1:%d/api/queues/%%2F?disable_stats=true&enable_queue_totals=true", managementPort(server)),
	}
	if err := q.open(); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("making the queue %s on the %s, %w", queue, server, err)
	}
	return q, nil
}

func (q *rabbitMQQueue) open() (err error) {
	if q.publish, err = q.conn.Channel(); err != nil {
		return err
	}
	if err := q.publish.Confirm(false); err != nil {
		return err
	}
	if q.ask, err = q.conn.Channel(); err != nil {
		return err
	}
	_, err = q.ask.QueueDeclare(q.name, true, false, false, false, nil)
	return err
}

// Push is Queue's.
func (q *rabbitMQQueue) Push(ctx context.Context, payload string) error {
	ctx, cancel := context.WithTimeout(ctx, rabbitMQAnswer)
	defer cancel()
	message := amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(payload)}
	confirmed, err := q.publish.PublishWithDeferredConfirmWithContext(ctx, "", q.name, true, false, message)
	if err != nil {
		return err
	}
	has, err := confirmed.WaitContext(ctx)
	if err == nil && !has {
		err = errors.New("the server refuses the message")
	}
	return err
}

// Depth is Queue's: what waits by the queue itself, and the rest by the management API, which is as late as its statistics.
func (q *rabbitMQQueue) Depth(ctx context.Context, _ []string) (waiting, inFlight int64, err error) {
	found, err := q.ask.QueueDeclarePassive(q.name, true, false, false, false, nil)
	if err != nil {
		return 0, 0, err
	}
	inFlight, err = q.unacknowledged(ctx)
	return int64(found.Messages), inFlight, err
}

func (q *rabbitMQQueue) unacknowledged(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, rabbitMQAnswer)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, q.counts, nil)
	if err != nil {
		return 0, err
	}
	request.SetBasicAuth(rabbitmqserver.User, q.password)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the management API answers %s", response.Status)
	}
	var queues []struct {
		Name           string `json:"name"`
		Unacknowledged int64  `json:"messages_unacknowledged"`
	}
	if err := json.NewDecoder(response.Body).Decode(&queues); err != nil {
		return 0, fmt.Errorf("reading the management API, %w", err)
	}
	for _, queue := range queues {
		if queue.Name == q.name {
			return queue.Unacknowledged, nil
		}
	}
	return 0, nil
}

// Payloads is Queue's. The messages that it takes return to their places when the channel closes.
func (q *rabbitMQQueue) Payloads(context.Context) ([]string, error) {
	ch, err := q.conn.Channel()
	if err != nil {
		return nil, err
	}
	defer func() { _ = ch.Close() }()
	var payloads []string
	for {
		message, more, err := ch.Get(q.name, false)
		if err != nil || !more {
			return payloads, err
		}
		payloads = append(payloads, string(message.Body))
	}
}

// Close is Queue's.
func (q *rabbitMQQueue) Close() { _ = q.conn.Close() }
