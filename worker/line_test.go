package worker_test

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// line is a proxy before Redis whose connections are cut in the middle of what they carry.
type line struct {
	listener net.Listener

	mu     sync.Mutex
	target string
	rng    *rand.Rand
	rate   int               // how many bytes pass each way within a second, over each connection; 0 for any number
	conns  map[net.Conn]*int // how many more bytes may pass, nil for any number
	// passed counts what has passed each way, over all connections; cut is after how many bytes the connection that
	// carries the next one is cut, once, nil for never.
	passed [2]int
	cut    [2]*int
}

// way is where what a connection carries goes.
type way int

const (
	requests way = iota
	replies
)

func (w way) String() string { return [...]string{"requests", "replies"}[w] }

// newLine starts a proxy, until the test's end.
func newLine(t testing.TB, target string, seed uint64) *line {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{listener: listener, target: target, rng: rand.New(rand.NewPCG(seed, 1)), conns: map[net.Conn]*int{}}
	t.Cleanup(l.close)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go l.serve(conn)
		}
	}()
	return l
}

func (l *line) addr() string { return l.listener.Addr().String() }

// lead has the connections that are yet to come go to another server.
func (l *line) lead(target string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.target = target
}

func (l *line) serve(client net.Conn) {
	l.mu.Lock()
	target := l.target
	l.mu.Unlock()
	server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", target)
	if err != nil {
		_ = client.Close()
		return
	}
	l.mu.Lock()
	l.conns[client], l.conns[server] = nil, nil
	l.mu.Unlock()
	done := make(chan struct{}, 2)
	carry := func(to, from net.Conn, w way) {
		l.carry(to, from, w)
		done <- struct{}{}
	}
	go carry(server, client, requests)
	go carry(client, server, replies)
	<-done // one way is cut: so is the other
	_ = client.Close()
	_ = server.Close()
	<-done
	l.mu.Lock()
	delete(l.conns, client)
	delete(l.conns, server)
	l.mu.Unlock()
}

// carry copies until the connection ends, or has carried as many bytes as it may.
func (l *line) carry(to, from net.Conn, w way) {
	buffer := make([]byte, 4096)
	var free time.Time // when what was carried before is through
	for {
		n, err := from.Read(buffer)
		n, cut := l.allow(from, w, n)
		const late = 100 * time.Millisecond // that a timer is late does not make the line slower
		if earliest := time.Now().Add(-late); free.Before(earliest) {
			free = earliest
		}
		if free = free.Add(l.takes(n)); l.takes(n) > 0 {
			<-time.After(time.Until(free))
		}
		if _, failed := to.Write(buffer[:n]); failed != nil || cut || err != nil {
			return
		}
	}
}

// allow counts bytes, and tells how many of them pass.
func (l *line) allow(from net.Conn, w way, n int) (passes int, cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	passes = n
	if at := l.cut[w]; at != nil && l.passed[w]+n > *at {
		passes, cut = *at-l.passed[w], true
		l.cut[w] = nil
	} else if left := l.conns[from]; left != nil {
		passes = min(n, *left)
		*left -= passes
		cut = *left == 0
	}
	l.passed[w] += passes
	return passes, cut
}

// slow has no more bytes than so many pass each way within a second, over each connection.
func (l *line) slow(rate int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rate = rate
}

// takes is how long so many bytes take.
func (l *line) takes(n int) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rate == 0 {
		return 0
	}
	return time.Duration(n) * time.Second / time.Duration(l.rate)
}

// cutAfter has one connection end after so many bytes have passed one way, over all connections.
func (l *line) cutAfter(w way, bytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut[w] = &bytes
}

// length is how many bytes have passed each way.
func (l *line) length() [2]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.passed
}

// cutSoon has about half of the connections end, each after some more bytes in one direction.
func (l *line) cutSoon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	const most = 500
	for conn := range l.conns {
		if l.rng.IntN(2) == 0 {
			left := l.rng.IntN(most)
			l.conns[conn] = &left
		}
	}
}

// heal has nothing more be cut.
func (l *line) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.conns {
		l.conns[conn] = nil
	}
}

func (l *line) close() {
	_ = l.listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.conns {
		_ = conn.Close()
	}
}
