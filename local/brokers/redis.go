package brokers

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"

	"github.com/redis/rueidis"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/redisserver"
	"github.com/quickube/qscaler/worker/redislist"
)

// Redis is a real redis-server, or a stand-in where there is none and none can be installed. Its queues are lists.
func Redis() Broker {
	return Broker{
		Name: "redis", Start: startRedis, Config: redisConfig,
		Image: exampleworkers.SDK, Example: "worker-sdk", QWorker: "example-worker-sdk", ScalerConfig: "example-scaler-config",
		MissingWorker: nothingMissing, Verb: "LPUSH", Connect: connectRedis, Push: pushRedis, MissingClient: missingRedisCLI,
	}
}

// nothingMissing is for workers in Go, which are built here.
func nothingMissing(context.Context) error { return nil }

func startRedis(ctx context.Context, o Options) (Server, error) {
	program, err := redisserver.Program.Get(ctx, o.Progress)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		o.Progress("%v", err)
		return startStandIn(o)
	}
	return startRedisServer(ctx, o, program)
}

func startRedisServer(ctx context.Context, o Options, program string) (Server, error) {
	o.Progress("starting %s", program)
	options := redisserver.Options{Dir: o.Dir, Program: program}
	if o.Password != "" {
		options.Args = []string{"--requirepass", o.Password}
	}
	server, err := redisserver.Start(ctx, options)
	if err != nil {
		return nil, err
	}
	return server, nil
}

func startStandIn(o Options) (Server, error) {
	server, err := redisserver.StartEmbedded(0)
	if err != nil {
		return nil, err
	}
	if o.Password != "" {
		server.RequirePassword(o.Password)
	}
	o.Progress("without it, a %s takes its place", server)
	return server, nil
}

func redisConfig(server Server, password *v1alpha1.PasswordSource) v1alpha1.ScalerConfigSpec {
	return v1alpha1.ScalerConfigSpec{Type: v1alpha1.BrokerRedis, Config: v1alpha1.BrokerConfig{
		Host: "127.0.0.1", Port: ptr.To(intstr.FromInt(server.Port())), Password: password,
	}}
}

// pushRedis uses redis-cli, and bash where that is missing.
func pushRedis(server Server) string {
	const task = `{"id":"t-'$i'","ms":5000}`
	port := strconv.Itoa(server.Port())
	if missingRedisCLI() == "" {
		return `for i in 1 2 3 4 5 6; do redis-cli -p ` + port + ` LPUSH task-queue '` + task + `'; done`
	}
	return bashPushRedis(port)
}

// bashPushRedis speaks to Redis without a client.
func bashPushRedis(port string) string {
	return `bash -c 'for i in 1 2 3 4 5 6; do printf "*3\r\n\$5\r\nLPUSH\r\n\$10\r\ntask-queue\r\n\$22\r\n{\"id\":\"t-$i\",\"ms\":5000}\r\n" >/dev/tcp/127.0.0.1/` + port + `; done'`
}

func missingRedisCLI() string {
	if _, err := exec.LookPath("redis-cli"); err != nil {
		return "redis-cli is not in the PATH: on Debian and Ubuntu, apt-get install redis-tools"
	}
	return ""
}

// redisQueue is a list.
type redisQueue struct {
	client rueidis.Client
	name   string
}

func connectRedis(_ context.Context, server Server, password, queue string) (Queue, error) {
	client, err := redisClient(server, password)
	if err != nil {
		return nil, err
	}
	return &redisQueue{client, queue}, nil
}

func redisClient(server Server, password string) (rueidis.Client, error) {
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{server.Addr()}, Password: password, DisableCache: true, ForceSingleClient: true,
	})
	if err != nil {
		return nil, fmt.Errorf("connecting to the %s, %w", server, err)
	}
	return client, nil
}

// Push is Queue's.
func (q *redisQueue) Push(ctx context.Context, payload string) error {
	return q.client.Do(ctx, q.client.B().Lpush().Key(q.name).Element(payload).Build()).Error()
}

// Depth is Queue's: the list and every worker's list, in one batch.
func (q *redisQueue) Depth(ctx context.Context, pods []string) (waiting, inFlight int64, err error) {
	commands := rueidis.Commands{q.client.B().Llen().Key(q.name).Build()}
	for _, pod := range pods {
		commands = append(commands, q.client.B().Llen().Key(redislist.Processing(q.name, pod)).Build())
	}
	for i, result := range q.client.DoMulti(ctx, commands...) {
		n, err := result.AsInt64()
		if err != nil {
			return 0, 0, err
		}
		if i == 0 {
			waiting = n
		} else {
			inFlight += n
		}
	}
	return waiting, inFlight, nil
}

// Payloads is Queue's: those of the queue and of all workers' lists.
func (q *redisQueue) Payloads(ctx context.Context) ([]string, error) {
	keys, err := q.client.Do(ctx, q.client.B().Keys().Pattern(redislist.AnyProcessing).Build()).AsStrSlice()
	if err != nil {
		return nil, err
	}
	var payloads []string
	for _, key := range append(keys, q.name) {
		tasks, err := q.client.Do(ctx, q.client.B().Lrange().Key(key).Start(0).Stop(-1).Build()).AsStrSlice()
		if err != nil {
			return nil, err
		}
		for _, task := range tasks {
			payloads = append(payloads, redislist.Parse(task).Payload)
		}
	}
	return payloads, nil
}

// Close is Queue's.
func (q *redisQueue) Close() { q.client.Close() }
