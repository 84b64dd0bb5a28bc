package brokers

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/natsserver"
)

// natsConsumer is the consumer in the manifest of the example worker.
const natsConsumer = "workers"

// natsAckWait is when the server gives the message of a worker that says nothing to another: sooner than by default, so that
// a person sees what becomes of the message of a killed worker.
const natsAckWait = 5 * time.Second

// natsAnswer is how long the server may take for an answer.
const natsAnswer = 10 * time.Second

// NATS is a real nats-server. Its queues are streams from which a message goes when it is acknowledged, with one consumer.
func NATS() Broker {
	return Broker{
		Name: "nats", Start: startNATS, Config: natsConfig,
		Image: exampleworkers.NATS, Group: natsConsumer, Example: "worker-nats", QWorker: "example-worker-nats", ScalerConfig: "nats",
		MissingWorker: nothingMissing, HidesBusy: true,
		Verb: "publish", Connect: connectNATS, Push: pushNATS, MissingClient: missingBash,
	}
}

// startNATS makes the stream and its consumer, too: a producer does not make them by itself.
func startNATS(ctx context.Context, o Options) (Server, error) {
	program, err := natsserver.Program(ctx, o.Progress)
	if err != nil {
		return nil, err
	}
	o.Progress("starting nats-server with JetStream")
	config := ""
	if o.Password != "" {
		config = fmt.Sprintf("authorization {token: %q}", o.Password)
	}
	server, err := natsserver.Start(ctx, natsserver.Options{Dir: o.Dir, Program: program, Config: config})
	if err != nil {
		return nil, err
	}
	queue, err := connectNATS(ctx, server, o.Password, ExampleQueue)
	if err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	queue.Close()
	return server, nil
}

// natsConfig has a password without a username, which is a token.
func natsConfig(server Server, password *v1alpha1.PasswordSource) v1alpha1.ScalerConfigSpec {
	return v1alpha1.ScalerConfigSpec{Type: v1alpha1.BrokerNATS, Config: v1alpha1.BrokerConfig{
		Host: "127.0.0.1", Port: ptr.To(intstr.FromInt(server.Port())), Password: password,
	}}
}

// pushNATS speaks to the server without a client: Debian has none. It waits until the server has read everything.
func pushNATS(server Server) string {
	return `bash -c 'exec 3<>/dev/tcp/127.0.0.1/` + strconv.Itoa(server.Port()) + `; printf "CONNECT {\"verbose\":false}\r\n" >&3; ` +
		`for i in 1 2 3 4 5 6; do printf "PUB task-queue 22\r\n{\"id\":\"t-$i\",\"ms\":5000}\r\n" >&3; done; ` +
		`printf "PING\r\n" >&3; until [[ $line = PONG* ]]; do read -r line <&3 || exit 1; done'`
}

func missingBash() string {
	if _, err := exec.LookPath("bash"); err != nil {
		return "bash is not in the PATH: on Debian and Ubuntu, apt-get install bash"
	}
	return ""
}

// natsQueue is a stream with its consumer. The stream's subject has its name.
type natsQueue struct {
	conn     *nats.Conn
	js       jetstream.JetStream
	stream   jetstream.Stream
	consumer jetstream.Consumer
	name     string
}

func connectNATS(ctx context.Context, server Server, password, queue string) (Queue, error) {
	conn, err := nats.Connect("nats://"+server.Addr(), nats.Token(password), nats.Timeout(natsAnswer))
	if err != nil {
		return nil, fmt.Errorf("connecting to the %s, %w", server, err)
	}
	q := &natsQueue{conn: conn, name: queue}
	if err := q.open(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("making the stream %s on the %s, %w", queue, server, err)
	}
	return q, nil
}

func (q *natsQueue) open(ctx context.Context) (err error) {
	if q.js, err = jetstream.New(q.conn, jetstream.WithDefaultTimeout(natsAnswer)); err != nil {
		return err
	}
	q.stream, err = q.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: q.name, Subjects: []string{q.name}, Retention: jetstream.WorkQueuePolicy,
	})
	if err != nil {
		return err
	}
	q.consumer, err = q.stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: natsConsumer, AckPolicy: jetstream.AckExplicitPolicy, AckWait: natsAckWait,
	})
	return err
}

// Push is Queue's.
func (q *natsQueue) Push(ctx context.Context, payload string) error {
	_, err := q.js.Publish(ctx, q.name, []byte(payload))
	return err
}

// Depth is Queue's.
func (q *natsQueue) Depth(ctx context.Context, _ []string) (waiting, inFlight int64, err error) {
	info, err := q.consumer.Info(ctx)
	if err != nil {
		return 0, 0, err
	}
	return int64(info.NumPending), int64(info.NumAckPending), nil //nolint:gosec // a few
}

// Payloads is Queue's: what was acknowledged is not in the stream any more.
func (q *natsQueue) Payloads(ctx context.Context) ([]string, error) {
	info, err := q.stream.Info(ctx)
	if err != nil {
		return nil, err
	}
	var payloads []string
	for at := info.State.FirstSeq; info.State.Msgs > 0 && at <= info.State.LastSeq; at++ {
		message, err := q.stream.GetMsg(ctx, at)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		payloads = append(payloads, string(message.Data))
	}
	return payloads, nil
}

// Close is Queue's.
func (q *natsQueue) Close() { q.conn.Close() }
