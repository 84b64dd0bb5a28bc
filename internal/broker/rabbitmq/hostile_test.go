package rabbitmq

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/brokertest"
)

// frameOn is a method on a channel.
func frameOn(channel byte, payload string) string {
	text := []byte(frame(frameMethod, payload))
	text[2] = channel
	return string(text)
}

// longText is a long string or a table.
func longText(text string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(text)))) + text
}

// introduction is what a server says to let somebody in, with a table of its properties.
func introduction(properties string) string {
	return frameOn(0, "\x00\x0a\x00\x0a\x00\x09"+longText(properties)+longText("PLAIN")+longText("en_US")) +
		frameOn(0, "\x00\x0a\x00\x1e\x00\x20\x00\x00\x40\x00\x00\x0a") + frameOn(0, "\x00\x0a\x00\x29\x00")
}

// flood is a server that lets everybody in, and then sends one frame without end.
func flood(t *testing.T, properties, frames string) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	first, again := introduction(properties), []byte(strings.Repeat(frames, 1+4096/len(frames)))
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				if _, err := io.WriteString(conn, first); err != nil || !opensChannel(conn) {
					return
				}
				go func() { _, _ = io.Copy(io.Discard, conn) }()
				for err == nil {
					_, err = conn.Write(again)
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// opensChannel reads what a client sends until it opens a channel.
func opensChannel(conn net.Conn) bool {
	var header [headerLength]byte
	if _, err := io.ReadFull(conn, header[:]); err != nil { // "AMQP0091" has one byte more
		return false
	}
	if _, err := io.ReadFull(conn, header[:1]); err != nil {
		return false
	}
	for {
		if _, err := io.ReadFull(conn, header[:]); err != nil {
			return false
		}
		rest := make([]byte, binary.BigEndian.Uint32(header[3:])+1)
		if _, err := io.ReadFull(conn, rest); err != nil {
			return false
		}
		if strings.HasPrefix(string(rest), "\x00\x14\x00\x0a") {
			return true
		}
	}
}

// A server that sends one thing without end, of which nothing is an answer, ends the read at a bound, and not at the
// deadline.
func TestHostileStreams(t *testing.T) {
	for name, frames := range map[string]string{
		"heartbeats":                        strings.Replace(frame(frameHeartbeat, ""), "\x01", "\x00", 1),
		"memory that is short and is not":   frameOn(0, "\x00\x0a\x00\x3c\x00") + frameOn(0, "\x00\x0a\x00\x3d"),
		"channels that nobody closed":       frameOn(30, "\x00\x14\x00\x29"),
		"an end of channels that are none":  frameOn(30, "\x00\x14\x00\x28\x01\x94\x01x\x00\x00\x00\x00"),
		"both, and heartbeats between them": frameOn(30, "\x00\x14\x00\x29") + frameOn(31, "\x00\x14\x00\x29") + strings.Replace(frame(frameHeartbeat, ""), "\x01", "\x00", 1),
	} {
		t.Run(name, func(t *testing.T) {
			d, err := Open(t.Context(), Config{Address: flood(t, "", frames), Username: "u", VHost: "/"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			_, err = d.Depths(t.Context(), []broker.Query{{Queue: "q"}})
			if broker.ReasonOf(err) != broker.ReasonUnknown || !strings.Contains(fmt.Sprint(err), "much that was not asked for") {
				t.Errorf("%v, want that much came which was not asked for", err)
			}
		})
	}
}

// mostOfMany is how much memory 100 hostile servers may have the operator take, garbage included: half of what the
// Deployment has.
const mostOfMany = 256 << 20

// hostileManagement answers as much as it may to each question.
func hostileManagement(t *testing.T) (address string) {
	t.Helper()
	const depth = 9000 // the library refuses 10,000
	nested := strings.Repeat("[", depth) + strings.Repeat("]", depth)
	long := fmt.Sprintf(`{"name":"q","messages_ready":1,"messages_unacknowledged":1,"x":%s,"y":%q}`, nested, strings.Repeat("y", most.element-2*depth-1000))
	var channels, consumers strings.Builder
	for i := range channelsBeside + channelsOfWorker {
		fmt.Fprintf(&channels, `,{"name":"%d","messages_unacknowledged":1,"connection_details":{"peer_host":"10.0.0.1"}}`, i)
		fmt.Fprintf(&consumers, `,{"queue":{"name":"q"},"channel_details":{"name":"%d"}}`, i)
	}
	texts := map[string]string{
		"/api/whoami":     `{"tags":["monitoring"` + strings.Repeat(`,""`, (most.element-100)/3) + "]}",
		"/api/queues/":    "[" + long + "," + long + "]",
		"/api/vhosts/":    "[" + channels.String()[1:] + "]",
		"/api/consumers/": "[" + consumers.String()[1:] + "]",
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for path, text := range texts {
			if strings.HasPrefix(r.URL.EscapedPath(), path) {
				_, _ = io.WriteString(w, text)
			}
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// Many servers that answer as much as they may at both ports, all at once, leave the operator well below its memory limit.
func TestManyHostileServers(t *testing.T) {
	if testing.Short() {
		t.Skip("it moves tens of megabytes")
	}
	var properties strings.Builder
	for i := range 980 { // the library reads 4 KiB before a login
		properties.WriteString("\x02" + string([]byte{byte(i >> 8), byte(i)}) + "V") // a key of two bytes, and no value
	}
	config := Config{Address: flood(t, properties.String(), frameOn(30, "\x00\x14\x00\x29")), Username: "u", VHost: "/", Statistics: time.Second}
	t.Run("AMQP alone", func(t *testing.T) {
		if openMany(t, config, 100) == 0 {
			t.Error("no server came to the end of what it may send")
		}
	})
	config.Management = hostileManagement(t)
	t.Run("both", func(t *testing.T) { openMany(t, config, 25) }) // a quarter, which may take a quarter
}

// openMany reads a queue of many servers at once, and has how many were ended because they sent too much. A busy machine is
// too slow for some.
func openMany(t *testing.T, config Config, servers uint64) (ended int64) {
	t.Helper()
	query := broker.Query{Queue: "q", Workers: []broker.Worker{{PodName: "w", PodIP: "10.0.0.1"}}}
	var flooded atomic.Int64
	took := brokertest.Peak(func() {
		var group sync.WaitGroup
		defer group.Wait()
		for range servers {
			group.Go(func() {
				d, err := Open(t.Context(), config, nil)
				if err != nil {
					return
				}
				defer d.Close()
				_, err = d.Depths(t.Context(), []broker.Query{query})
				switch {
				case err == nil:
					t.Error("a server that answers nothing of the queue has its depth")
				case strings.Contains(err.Error(), "much that was not asked for"):
					flooded.Add(1)
				}
			})
		}
	})
	t.Logf("%d servers took %d MiB, and %d were ended", servers, took>>20, flooded.Load())
	if most := mostOfMany / 100 * servers; took > most {
		t.Errorf("%d servers took %d MiB, want at most %d", servers, took>>20, most>>20)
	}
	return flooded.Load()
}
