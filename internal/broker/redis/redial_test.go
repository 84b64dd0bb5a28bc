package redis

import (
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// The library makes a new connection for each question when the last broke. A server that answers once and closes gets
// no more of them than the backlog makes.
func TestAServerThatAnswersOnceIsNotDialledAgain(t *testing.T) {
	for name, last := range map[string]string{
		"it closes the connection":        "+OK\r\n",
		"it says what was not asked for":  "+OK\r\n:1\r\n",
		"it closes before it has greeted": "",
	} {
		t.Run(name, func(t *testing.T) {
			dialled := new(atomic.Int32)
			address := accepting(t, func(conn net.Conn) {
				dialled.Add(1)
				if last == "" {
					_ = conn.Close()
					return
				}
				serve(conn, func(c []string) string {
					switch c[0] {
					case "HELLO":
						return "%1\r\n+proto\r\n:3"
					case "LREM": // the last of a read
						go func() {
							_, _ = conn.Write([]byte(strings.TrimPrefix(last, "+OK\r\n")))
							_ = conn.Close()
						}()
						return "+OK"
					case "LLEN", "ZCOUNT":
						return ":1"
					}
					return "+OK"
				})
			})
			d, err := Open(t.Context(), Config{Address: address}, newBell().ring)
			if err == nil {
				defer d.Close()
				for range 100 {
					_, err = d.Depths(t.Context(), []broker.Query{{Queue: "q"}})
				}
			}
			if err == nil {
				t.Error("a connection that is closed has answered")
			}
			if n := dialled.Load(); n != 1 {
				t.Errorf("%d connections, want 1 (%v)", n, err)
			}
		})
	}
}

func TestWhenABrokenConnectionIsMadeAgain(t *testing.T) {
	now := time.Now()
	unfit := errors.New("unfit")
	broken := &guard{}
	broken.refused.Store(&unfit)
	for name, c := range map[string]struct {
		r    *redial
		want error
	}{
		"the first":                          {&redial{}, nil},
		"one after a while":                  {&redial{dialled: now.Add(-redialAfter), last: &guard{}}, nil},
		"one too soon":                       {&redial{dialled: now.Add(-redialAfter + 1), last: &guard{}}, net.ErrClosed},
		"too soon after one that failed":     {&redial{dialled: now}, net.ErrClosed},
		"too soon after one that was broken": {&redial{dialled: now, last: broken}, unfit},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.r.tooSoon(now); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if again := c.r.tooSoon(now); again == nil {
				t.Error("then another is made at once")
			}
		})
	}
}
