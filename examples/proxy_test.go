package examples

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// loss is how a proxy loses a command's answer.
type loss int

const (
	cutReply   loss = iota // Redis has executed the command; both connections are closed
	holdReply              // the same, but nothing is closed: the connection hangs
	cutRequest             // the worker's connection is closed once the command is sent; Redis' stays open
)

// proxy stands between a worker and Redis and loses the answer of one command when it is told to. Only
// answers that bring something are lost: not the nil of a BLMOVE that found no task.
type proxy struct {
	address string
	target  string
	mu      sync.Mutex
	command []byte // to be lost next; nil for none
	how     loss
	lost    chan struct{} // one value per loss
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &proxy{address: listener.Addr().String(), target: target, lost: make(chan struct{}, 1)}
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

// lose makes the proxy lose the answer of the next such command.
func (p *proxy) lose(command string, how loss) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.command, p.how = []byte(command), how
}

func (p *proxy) waitForLoss(t *testing.T) {
	t.Helper()
	select {
	case <-p.lost:
	case <-time.After(waitLimit):
		t.Fatalf("the proxy has lost nothing within %v", waitLimit)
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
			how, lose := p.loses(request, answer[:n])
			mu.Unlock()
			if lose {
				p.lost <- struct{}{}
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
			p.lost <- struct{}{}
			return
		}
	}
}

// loses reports whether this answer is the one to lose.
func (p *proxy) loses(request, answer []byte) (loss, bool) {
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
