// Package freeport finds a port of 127.0.0.1 for a server that is started a moment later, or that is killed and comes
// back. It imports nothing of ours.
package freeport

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
)

// The ports that are tried. The kernel gives those of its own range to connections, so one that was free is soon taken.
const (
	first = 20_000
	tries = 100
	// rangeFile has the first and the last port of the kernel's range.
	rangeFile = "/proc/sys/net/ipv4/ip_local_port_range"
)

// Find is a port at which nobody listens now, and which the kernel gives to no connection, where there are such.
func Find() (int, error) {
	data, err := os.ReadFile(rangeFile)
	if err != nil {
		return free(0)
	}
	if last := beforeKernels(string(data)); last > first {
		for range tries {
			if port, err := free(first + rand.IntN(last-first)); err == nil {
				return port, nil
			}
		}
	}
	return free(0)
}

// beforeKernels is the first port of the kernel's range; 0 where that is not to be read.
func beforeKernels(words string) int {
	fields := strings.Fields(words)
	if len(fields) != 2 {
		return 0
	}
	low, err := strconv.Atoi(fields[0])
	if err != nil {
		return 0
	}
	return low
}

// free returns the port if nobody has it; of 0 it makes one that the kernel chooses.
func free(port int) (int, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return 0, fmt.Errorf("finding a free port, %w", err)
	}
	defer func() { _ = listener.Close() }()
	if address, ok := listener.Addr().(*net.TCPAddr); ok {
		return address.Port, nil
	}
	return 0, fmt.Errorf("finding a free port: %s is no address of TCP", listener.Addr())
}
