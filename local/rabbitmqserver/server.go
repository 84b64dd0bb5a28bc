// Package rabbitmqserver brings up a real RabbitMQ server with its management plugin on loopback, for local mode and for
// tests: it finds the programs, and starts, kills, pauses and restarts them.
//
// A server has a node name, a data directory and ports of its own, and a port mapper (epmd) of its own: it meets no other
// RabbitMQ or Erlang of the machine. It takes several seconds to start, so tests share one.
package rabbitmqserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/quickube/qscaler/local/freeport"
	"github.com/quickube/qscaler/local/server"
)

// Options is how a server runs.
type Options struct {
	// Dir has the data, the logs and the records of the processes; it is made.
	Dir string
	// Port and ManagementPort are ports of 127.0.0.1; 0 takes a free one.
	Port, ManagementPort int
	// StatisticsInterval is how old the statistics of the management API may be; 0 is the server's default of 5 s.
	StatisticsInterval time.Duration
	// Password is that of User on a new server; "" is Password.
	Password string
}

// Server is a RabbitMQ server of our own.
type Server struct {
	*server.Server
	options  Options
	programs programs
	// distribution and mapper are ports of Erlang: for its nodes, and of its port mapper.
	distribution, mapper int
}

// The user and the password that a new server has by default.
const (
	User     = "guest"
	Password = "guest"
)

// Start starts a server and returns when it answers on both ports. It keeps every durable queue with its persistent
// messages that it has confirmed, also through Kill. A server that a killed predecessor left in Dir is ended first.
func Start(ctx context.Context, o Options) (*Server, error) {
	programs, err := find()
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, programs: programs}
	for _, port := range []*int{&s.options.ManagementPort, &s.distribution, &s.mapper} {
		if *port != 0 {
			continue
		}
		if *port, err = freeport.Find(); err != nil {
			return nil, err
		}
	}
	s.Server, err = server.Start(ctx, server.Options{
		Name: "rabbitmq-server", Dir: o.Dir, Port: o.Port, Command: s.configure, Env: s.env, Answers: s.answers,
		Beside:       map[string][]string{"epmd": {programs.epmd, "-port", strconv.Itoa(s.mapper), "-address", "127.0.0.1"}},
		StartTimeout: 5 * time.Minute, // a few seconds on a machine that has nothing else to do
		StopGrace:    20 * time.Second,
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// configure writes the server's configuration.
func (s *Server) configure(run *server.Server) ([]string, error) {
	settings := fmt.Sprintf(`listeners.tcp.1 = 127.0.0.1:%d
management.tcp.ip = 127.0.0.1
management.tcp.port = %d
log.file = false
log.console = true
log.console.level = warning
default_pass = %s
`, run.Port(), s.options.ManagementPort, s.password())
	if s.options.StatisticsInterval > 0 {
		// The management API keeps answers for as many times as long as they took, 5 by default.
		settings += fmt.Sprintf("collect_statistics_interval = %d\nmanagement.db_cache_multiplier = 0\n", s.options.StatisticsInterval.Milliseconds())
	}
	return []string{s.programs.server}, errors.Join(
		os.WriteFile(run.File("rabbitmq.conf"), []byte(settings), 0o600),
		os.WriteFile(run.File("enabled_plugins"), []byte("[rabbitmq_management].\n"), 0o600),
	)
}

func (s *Server) password() string { return cmp.Or(s.options.Password, Password) }

// env is what the environment of the server has, and of the programs that talk to it.
func (s *Server) env(run *server.Server) []string {
	return []string{
		"HOME=" + run.Dir(), // it has Erlang's cookie
		fmt.Sprintf("RABBITMQ_NODENAME=qscaler-%d@localhost", run.Port()),
		"RABBITMQ_MNESIA_BASE=" + run.File("data"),
		"RABBITMQ_LOG_BASE=" + run.Dir(),
		"RABBITMQ_PID_FILE=" + run.File("server.pid"),
		"RABBITMQ_CONFIG_FILE=" + run.File("rabbitmq.conf"),
		"RABBITMQ_CONF_ENV_FILE=" + run.File("none"), // the machine's own is not ours
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + run.File("enabled_plugins"),
		fmt.Sprint("RABBITMQ_DIST_PORT=", s.distribution),
		fmt.Sprint("ERL_EPMD_PORT=", s.mapper),
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"RUNNING_UNDER_SYSTEMD=true", // the script becomes the server then, which so ends with this process
		// Loopback alone, and no thread of the server spins while it waits for work.
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-start_epmd false -kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none",
	}
}

// answers reports whether both ports are served.
func (s *Server) answers(ctx context.Context, run *server.Server) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", run.Addr())
	if err != nil {
		return false
	}
	_ = conn.Close()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/api/whoami", s.options.ManagementPort), nil)
	if err != nil {
		return false
	}
	request.SetBasicAuth(User, s.password())
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode < http.StatusInternalServerError
}

// ManagementPort is the port of the management API.
func (s *Server) ManagementPort() int { return s.options.ManagementPort }

// Control runs rabbitmqctl with these arguments, and returns what it prints.
func (s *Server) Control(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.programs.control, args...)
	cmd.Env, cmd.Dir = append(os.Environ(), s.env(s.Server)...), s.Dir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("running rabbitmqctl %q, %w\n%s", args, err, out)
	}
	return string(out), nil
}
