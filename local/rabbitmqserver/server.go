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
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/quickube/qscaler/local/freeport"
	"github.com/quickube/qscaler/local/process"
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
	options  Options
	programs programs
	launcher *process.Launcher
	// distribution and mapper are ports of Erlang: for its nodes, and of its port mapper.
	distribution, mapper int
	epmd, server         *process.Process
}

const (
	startTimeout = 5 * time.Minute // a few seconds on a machine that has nothing else to do
	stopGrace    = 20 * time.Second
	answerEvery  = 100 * time.Millisecond
)

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
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, err
	}
	launcher, _, err := process.NewLauncher(filepath.Join(o.Dir, "processes"))
	if err != nil {
		return nil, fmt.Errorf("starting rabbitmq-server, %w", err)
	}
	s := &Server{options: o, programs: programs, launcher: launcher}
	if err := s.first(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) first(ctx context.Context) error {
	for _, port := range []*int{&s.options.Port, &s.options.ManagementPort, &s.distribution, &s.mapper} {
		if *port != 0 {
			continue
		}
		var err error
		if *port, err = freeport.Find(); err != nil {
			return err
		}
	}
	if err := s.configure(); err != nil {
		return fmt.Errorf("configuring rabbitmq-server, %w", err)
	}
	var err error
	s.epmd, err = s.launcher.Start(process.Command{
		Name: "epmd", Argv: []string{s.programs.epmd, "-port", strconv.Itoa(s.mapper), "-address", "127.0.0.1"},
		Env: os.Environ(), Dir: s.options.Dir, Log: s.log("epmd"),
	})
	if err != nil {
		return err
	}
	return s.start(ctx)
}

func (s *Server) log(of string) string { return filepath.Join(s.options.Dir, of+".log") }

// configure writes the server's configuration.
func (s *Server) configure() error {
	settings := fmt.Sprintf(`listeners.tcp.1 = 127.0.0.1:%d
management.tcp.ip = 127.0.0.1
management.tcp.port = %d
log.file = false
log.console = true
log.console.level = warning
default_pass = %s
`, s.options.Port, s.options.ManagementPort, s.password())
	if s.options.StatisticsInterval > 0 {
		// The management API keeps answers for as many times as long as they took, 5 by default.
		settings += fmt.Sprintf("collect_statistics_interval = %d\nmanagement.db_cache_multiplier = 0\n", s.options.StatisticsInterval.Milliseconds())
	}
	return errors.Join(
		os.WriteFile(s.file("rabbitmq.conf"), []byte(settings), 0o600),
		os.WriteFile(s.file("enabled_plugins"), []byte("[rabbitmq_management].\n"), 0o600),
	)
}

func (s *Server) password() string { return cmp.Or(s.options.Password, Password) }

func (s *Server) file(name string) string { return filepath.Join(s.options.Dir, name) }

// env is the environment of the server and of the programs that talk to it.
func (s *Server) env() []string {
	return append(os.Environ(),
		"HOME="+s.options.Dir, // it has Erlang's cookie
		fmt.Sprintf("RABBITMQ_NODENAME=qscaler-%d@localhost", s.options.Port),
		"RABBITMQ_MNESIA_BASE="+s.file("data"),
		"RABBITMQ_LOG_BASE="+s.options.Dir,
		"RABBITMQ_PID_FILE="+s.file("server.pid"),
		"RABBITMQ_CONFIG_FILE="+s.file("rabbitmq.conf"),
		"RABBITMQ_CONF_ENV_FILE="+s.file("none"), // the machine's own is not ours
		"RABBITMQ_ENABLED_PLUGINS_FILE="+s.file("enabled_plugins"),
		fmt.Sprint("RABBITMQ_DIST_PORT=", s.distribution),
		fmt.Sprint("ERL_EPMD_PORT=", s.mapper),
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"RUNNING_UNDER_SYSTEMD=true", // the script becomes the server then, which so ends with this process
		// Loopback alone, and no thread of the server spins while it waits for work.
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-start_epmd false -kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none",
	)
}

func (s *Server) start(ctx context.Context) (err error) {
	s.server, err = s.launcher.Start(process.Command{
		Name: "rabbitmq-server", Argv: []string{s.programs.server}, Env: s.env(), Dir: s.options.Dir, Log: s.log("rabbitmq-server"),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ticker := time.NewTicker(answerEvery)
	defer ticker.Stop()
	for !s.answers(ctx) {
		select {
		case <-s.server.Done():
			return fmt.Errorf("rabbitmq-server ended with code %d; its log is %s", s.server.Exit().Code, s.log("rabbitmq-server"))
		case <-ctx.Done():
			return fmt.Errorf("rabbitmq-server does not answer; its log is %s", s.log("rabbitmq-server"))
		case <-ticker.C:
		}
	}
	return nil
}

// answers reports whether both ports are served.
func (s *Server) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Addr())
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

// Addr is host:port of AMQP.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.options.Port)) }

// Port is the port of AMQP.
func (s *Server) Port() int { return s.options.Port }

// ManagementPort is the port of the management API.
func (s *Server) ManagementPort() int { return s.options.ManagementPort }

// Dir has the data and the logs.
func (s *Server) Dir() string { return s.options.Dir }

// String names the server for a person.
func (s *Server) String() string { return "rabbitmq-server at " + s.Addr() }

// Control runs rabbitmqctl with these arguments, and returns what it prints.
func (s *Server) Control(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.programs.control, args...)
	cmd.Env, cmd.Dir = s.env(), s.options.Dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("running rabbitmqctl %q, %w\n%s", args, err, out)
	}
	return string(out), nil
}

// Kill ends the server with SIGKILL.
func (s *Server) Kill() error { return s.server.Stop(0) }

// Restart starts the server again, on the same ports with the same data. It ends one that still runs.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Kill(); err != nil {
		return err
	}
	return s.start(ctx)
}

// Pause stops the server in its tracks: connections stay open and nothing answers.
func (s *Server) Pause() error { return s.server.SignalGroup(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *Server) Resume() error { return s.server.SignalGroup(syscall.SIGCONT) }

// Stop ends the server. Its data stay in Dir.
func (s *Server) Stop() error {
	defer s.launcher.Close()
	var errs []error
	if s.server != nil {
		errs = append(errs, s.Resume(), s.server.Stop(stopGrace))
	}
	if s.epmd != nil {
		errs = append(errs, s.epmd.Stop(0))
	}
	return errors.Join(errs...)
}
