package brokertest

import (
	"bytes"
	"context"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// feed is what is sent in the place of a server's words. It ends with the writer's error.
type feed func(io.Writer) error

// text is sent once.
func text(s string) feed {
	sent := []byte(s)
	return func(w io.Writer) error {
		_, err := w.Write(sent)
		return err
	}
}

// repeated is sent over and over, up to 64 MiB.
func repeated(s string) feed {
	const endless = 64 << 20
	block := bytes.Repeat([]byte(s), max(1, (64<<10)/len(s)))
	return func(w io.Writer) error {
		for sent := 0; sent < endless; sent += len(block) {
			if _, err := w.Write(block); err != nil {
				return err
			}
		}
		return nil
	}
}

// proxy stands between a driver and its server.
type proxy struct {
	t        testing.TB
	server   broker.Settings
	listener net.Listener
	group    sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	// accepted counts the connections that the driver has made.
	accepted int
	// bytes counts what the server has sent over the last connection.
	bytes int
	// at is where the server's words are spoiled, -1 for nowhere; what comes then is the feed and the end, or nothing
	// where it stalls.
	at     int
	feed   feed
	stalls bool
	// holding keeps replies back until the driver has said the expected bytes, or has nothing more to say; turns counts how
	// often they were let go. heard counts the driver's bytes, and said is when it last spoke.
	holding         bool
	heard, expected int
	turns           int
	said            time.Time
}

func newProxy(t *testing.T, server broker.Settings) *proxy {
	t.Helper()
	return proxyAt(t, server, func(l net.Listener) net.Listener { return l })
}

// proxyAt makes a proxy whose listener is wrapped.
func proxyAt(t *testing.T, server broker.Settings, wrap func(net.Listener) net.Listener) *proxy {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, server: server, listener: wrap(listener), at: -1, conns: map[net.Conn]struct{}{}}
	p.group.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// settings reach the server through the proxy.
func (p *proxy) settings() broker.Settings {
	s := p.server
	s.Host, s.Port = "127.0.0.1", int32(p.listener.Addr().(*net.TCPAddr).Port)
	return s
}

func (p *proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	for conn := range p.conns {
		_ = conn.Close()
	}
	p.mu.Unlock()
	p.group.Wait()
}

// spoil has the server's words replaced after so many bytes of each connection to come: by the feed, and the end.
func (p *proxy) spoil(at int, f feed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at, p.feed, p.stalls = at, f, false
}

// stall has nothing come after so many bytes of each connection to come.
func (p *proxy) stall(at int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at, p.feed, p.stalls = at, nil, true
}

// hold has replies kept back until the driver has said so many bytes, or has nothing more to say.
func (p *proxy) hold(bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holding, p.heard, p.expected, p.turns, p.said = true, 0, bytes, 0, time.Now()
}

// heardSince is how many bytes the driver says while it does something.
func (p *proxy) heardSince(do func()) int {
	p.mu.Lock()
	before := p.heard
	p.mu.Unlock()
	do()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heard - before
}

func (p *proxy) rounds() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.turns
}

func (p *proxy) dialled() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

func (p *proxy) received() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes
}

func (p *proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.group.Go(func() { p.serve(conn) })
	}
}

func (p *proxy) serve(driver net.Conn) {
	defer p.forget(driver)
	address := net.JoinHostPort(p.server.Host, strconv.Itoa(int(p.server.Port)))
	server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", address)
	if err != nil {
		return
	}
	defer p.forget(server)
	p.mu.Lock()
	p.conns[driver], p.conns[server], p.bytes = struct{}{}, struct{}{}, 0
	p.accepted++
	p.mu.Unlock()
	p.group.Go(func() {
		defer func() { _ = server.(*net.TCPConn).CloseWrite() }()
		_, _ = io.Copy(server, listening{p, driver})
	})
	p.reply(driver, server)
}

func (p *proxy) forget(conn net.Conn) {
	p.mu.Lock()
	delete(p.conns, conn)
	p.mu.Unlock()
	_ = conn.Close()
}

// listening notes when the driver speaks.
type listening struct {
	*proxy
	io.Reader
}

func (l listening) Read(b []byte) (int, error) {
	n, err := l.Reader.Read(b)
	l.mu.Lock()
	l.said = time.Now()
	l.heard += n
	l.mu.Unlock()
	return n, err
}

// reply passes the server's words on, until they are to be spoiled.
func (p *proxy) reply(driver, server net.Conn) {
	p.mu.Lock()
	at, feed, stalls := p.at, p.feed, p.stalls
	p.mu.Unlock()
	block := make([]byte, 64<<10)
	for passed := 0; ; {
		if at >= 0 {
			block = block[:min(cap(block), at-passed)]
		}
		if len(block) == 0 {
			break
		}
		n, err := server.Read(block)
		if err != nil {
			return
		}
		p.await()
		passed += n
		p.mu.Lock()
		p.bytes = passed // before the driver has them: who has read its answer may ask how long it was
		p.mu.Unlock()
		if _, err := driver.Write(block[:n]); err != nil {
			return
		}
	}
	if stalls {
		_, _ = io.Copy(io.Discard, server) // until the driver gives up
		return
	}
	if feed != nil {
		_ = feed(driver)
	}
}

// quiet is for how long a driver that has nothing more to say says nothing.
const quiet = time.Second

// await waits until the driver has said all that it says without an answer.
func (p *proxy) await() {
	for {
		p.mu.Lock()
		if !p.holding {
			p.mu.Unlock()
			return
		}
		wait := time.Until(p.said.Add(quiet))
		if p.heard >= p.expected || wait <= 0 {
			if !p.said.IsZero() {
				p.turns++
				p.said = time.Time{} // what follows belongs to this round, until the driver speaks again
			}
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		<-time.After(min(wait, 10*time.Millisecond))
	}
}
