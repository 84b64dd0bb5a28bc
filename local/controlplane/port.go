package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// port is a port of 127.0.0.1 that stays ours for as long as we live, whether the API server runs or not.
type port struct {
	number int
	socket *os.File
}

// reservePort takes the wanted port, or the one that this directory had last time, or a free one.
//
// The socket is bound and does not listen, with SO_REUSEPORT: the kernel gives the number to nobody else,
// the API server (with --permit-port-sharing) can bind to it as often as it likes, and all connections are
// its own.
func reservePort(dir string, wanted int) (*port, error) {
	file := filepath.Join(dir, "port")
	if wanted == 0 {
		if data, err := os.ReadFile(file); err == nil {
			if last, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil && !listening(last) {
				if p, err := bind(last); err == nil {
					return p, nil
				}
			}
		}
	}
	if wanted != 0 && listening(wanted) {
		return nil, fmt.Errorf("port %d of 127.0.0.1 is taken", wanted)
	}
	p, err := bind(wanted)
	if err != nil {
		return nil, err
	}
	return p, os.WriteFile(file, []byte(strconv.Itoa(p.number)+"\n"), 0o600)
}

// listening reports whether a program accepts connections there: one that also allows sharing would get some of ours.
func listening(number int) bool {
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(number)))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

func (p *port) url() string { return "https://127.0.0.1:" + strconv.Itoa(p.number) }

func (p *port) release() { _ = p.socket.Close() }

var errNoPort = errors.New("the kernel gave no port")

func closeOnError(fd int, err error) error {
	_ = syscall.Close(fd)
	return fmt.Errorf("reserving a port of 127.0.0.1, %w", err)
}
