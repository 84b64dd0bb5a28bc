package redisserver

import (
	"fmt"
	"net"
	"strconv"

	"github.com/alicebob/miniredis/v2"
)

// Embedded is a stand-in for Redis inside this process, for a machine on which there is no real one. It keeps nothing
// when the process ends. It has no doorbell: its queues are polled.
type Embedded struct {
	server *miniredis.Miniredis
	port   int
}

// StartEmbedded starts a stand-in on a port of 127.0.0.1; 0 takes a free one.
func StartEmbedded(port int) (*Embedded, error) {
	server := miniredis.NewMiniRedis()
	if err := server.StartAddr(net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err != nil {
		return nil, fmt.Errorf("starting the stand-in for Redis, %w", err)
	}
	port, err := strconv.Atoi(server.Port())
	if err != nil {
		server.Close()
		return nil, fmt.Errorf("starting the stand-in for Redis, %w", err)
	}
	return &Embedded{server: server, port: port}, nil
}

// Addr is host:port.
func (e *Embedded) Addr() string { return e.server.Addr() }

// Port is the port.
func (e *Embedded) Port() int { return e.port }

// String names the stand-in for a person, as what it is.
func (e *Embedded) String() string {
	return "stand-in for redis-server (in memory, polled) at " + e.Addr()
}

// RequirePassword has clients authenticate from now on.
func (e *Embedded) RequirePassword(password string) { e.server.RequireAuth(password) }

// Stop ends the stand-in, and its data with it.
func (e *Embedded) Stop() error {
	e.server.Close()
	return nil
}
