package redis

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
)

// guard stands between the client library and the network. The library panics on a reply that nobody asked
// for, in a goroutine of its own where nothing can recover it, and believes every length that it is told.
// Some proxies say good-bye unasked, and whoever may create a ScalerConfig chooses the server: neither may
// take the operator down, and all other fleets with it.
//
// So the library reads nothing that the guard has not understood: commands says what is owed, bounds how long an answer
// may be, and replies lets through what is a reply, line by line. What is none ends the connection.
type guard struct {
	net.Conn
	sent     commands
	received replies
	owed     debts
	// failure is why nothing more is read, once it is known, and refused has it where it is the guard's own.
	failure error
	refused atomic.Pointer[error]
}

// readSize is how much is read from the network at a time.
const readSize = 16 << 10

var errUnasked = errors.New("the server sent a reply that was not asked for; is it Redis?")

func newGuard(conn net.Conn) *guard {
	g := &guard{Conn: conn}
	g.sent.complete = g.owed.add
	g.received.owed = &g.owed
	return g
}

// Write is called by one goroutine at a time, and so is Read.
func (g *guard) Write(p []byte) (int, error) {
	g.sent.scan(p) // before it is sent: the reply may be quick
	return g.Conn.Write(p)
}

// Read returns what is right before it fails for what is not.
func (g *guard) Read(p []byte) (int, error) {
	for len(g.received.passed) == 0 {
		if g.failure != nil {
			return 0, g.failure
		}
		in := p[:min(len(p), readSize)]
		n, err := g.Conn.Read(in)
		if unfit := g.received.pass(in[:n]); unfit != nil {
			g.refused.Store(&unfit)
			err = unfit
		}
		g.failure = err
	}
	return g.received.take(p), nil
}

// refusal is why the guard has ended the connection, nil where it has not.
func (g *guard) refusal() error {
	if refused := g.refused.Load(); refused != nil {
		return *refused
	}
	return nil
}

// debts are the replies that the server owes, in order.
type debts struct {
	mu   sync.Mutex
	owed []bounds
	// pushes is how many more pushes there may be.
	pushes int
}

// sparePushes are the pushes that a server may send beside one for each key that it was asked of: one for each time
// that somebody empties it.
const sparePushes = 1000

func (d *debts) add(b bounds) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.owed = append(d.owed, b)
	d.pushes++
}

// settle is called when a reply begins, and returns its bounds.
func (d *debts) settle() (bounds, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.owed) == 0 {
		return bounds{}, errUnasked
	}
	b := d.owed[0]
	if d.owed = d.owed[1:]; len(d.owed) == 0 {
		d.owed = nil
	}
	return b, nil
}

// push is called when a push begins, and returns its bounds. A key is pushed once for each time that it was read: who
// sends more keeps the operator busy.
func (d *debts) push() (bounds, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pushes--; d.pushes < -sparePushes {
		return bounds{}, errors.New("the server sent more pushes than it was asked of keys; is it Redis?")
	}
	return ofPush, nil
}
