package stack

import (
	"context"

	"github.com/quickube/qscaler/local/redisserver"
)

// Redis is the broker of local mode.
type Redis interface {
	// Addr is host:port.
	Addr() string
	// Port is the port, on 127.0.0.1.
	Port() int
	// String names the server for a person.
	String() string
	// Stop ends it.
	Stop() error
}

// startRedis starts a real redis-server, or a stand-in where there is none and none can be installed.
func (s *Stack) startRedis(ctx context.Context) error {
	if s.options.NoRedis {
		return nil
	}
	program, err := redisserver.Program(ctx, s.options.Progress)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		s.options.Progress("%v", err)
		return s.startStandIn()
	}
	s.options.Progress("starting %s", program)
	o := redisserver.Options{Dir: s.subdir(redisDir), Program: program}
	if s.options.RedisPassword != "" {
		o.Args = []string{"--requirepass", s.options.RedisPassword}
	}
	server, err := redisserver.Start(ctx, o)
	if err != nil {
		return err
	}
	s.redis = server
	return nil
}

func (s *Stack) startStandIn() error {
	server, err := redisserver.StartEmbedded(0)
	if err != nil {
		return err
	}
	if s.options.RedisPassword != "" {
		server.RequirePassword(s.options.RedisPassword)
	}
	s.options.Progress("without it, a %s takes its place", server)
	s.redis = server
	return nil
}
