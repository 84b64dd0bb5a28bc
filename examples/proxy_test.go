package examples

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// drop is how a proxy drops a command's answer.
type drop int

const (
	cutReply   drop = iota // Redis has executed the command; both connections are closed
	holdReply              // the same, but nothing is closed: the connection hangs
	cutRequest             // the worker's connection is closed once the command is sent; Redis' stays open
)

// proxy stands between a worker and Redis and drops the answer of one command when it is told to. Only
// answers that bring something are dropped: not the nil of a BLMOVE that found no task.
type proxy struct {
	address string
	target  string
	mu      sync.Mutex
	command []byte // whose answer is dropped next; nil for none
	how     drop
	dropped chan struct{} // one value for each answer
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &proxy{address: listener.Addr().String(), target: target, dropped: make(chan struct{}, 1)}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(t, conn)
		}
	}()
	return p
}

// drop makes the proxy drop the answer of the next such command.
func (p *proxy) drop(command string, how drop) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.command, p.how = []byte(command), how
}

func (p *proxy) waitForLoss(t *testing.T) {
	t.Helper()
	select {
	case <-p.dropped:
	case <-time.After(waitLimit):
		t.Fatalf("the proxy has dropped nothing within %v", waitLimit)
	}
}

// serve forwards one request at a time and its answer. The workers do not pipeline, so that a read is one
// request; an answer may come in several reads.
func (p *proxy) serve(t *testing.T, worker net.Conn) {
	redis, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = worker.Close()
		return
	}
	closeBoth := func() { _, _ = worker.Close(), redis.Close() }
	t.Cleanup(closeBoth)

	var mu sync.Mutex
	var request []byte
	go func() {
		defer closeBoth()
		answer := make([]byte, 64<<10)
		for {
			n, err := redis.Read(answer)
			if err != nil {
				return
			}
			mu.Lock()
			how, drops := p.drops(request, answer[:n])
			mu.Unlock()
			if drops {
				p.dropped <- struct{}{}
				if how == holdReply {
					_, _ = io.Copy(io.Discard, redis)
				}
				return
			}
			if _, err := worker.Write(answer[:n]); err != nil {
				return
			}
		}
	}()

	buffer := make([]byte, 64<<10)
	for {
		n, err := worker.Read(buffer)
		if err != nil {
			closeBoth()
			return
		}
		mu.Lock()
		request = bytes.Clone(buffer[:n])
		mu.Unlock()
		if _, err := redis.Write(buffer[:n]); err != nil {
			closeBoth()
			return
		}
		if p.cuts(buffer[:n]) {
			_ = worker.Close() // redis stays open: it learns nothing
			p.dropped <- struct{}{}
			return
		}
	}
}

// drops reports whether this answer is the one to drop.
func (p *proxy) drops(request, answer []byte) (drop, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	null := bytes.HasPrefix(answer, []byte("$-1")) || bytes.HasPrefix(answer, []byte("*-1")) || bytes.HasPrefix(answer, []byte("_"))
	if p.command == nil || p.how == cutRequest || null || !bytes.Contains(request, p.command) {
		return p.how, false
	}
	p.command = nil
	return p.how, true
}

// cuts reports whether this request is the one after which the worker's connection is cut.
func (p *proxy) cuts(request []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.command == nil || p.how != cutRequest || !bytes.Contains(request, p.command) {
		return false
	}
	p.command = nil
	return true
}
