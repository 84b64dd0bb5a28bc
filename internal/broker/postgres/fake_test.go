package postgres

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// fake listens, and sends the same to everybody once he has said something. It returns its port.
func fake(t *testing.T, said string) int32 {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	words := []byte(said)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				_, _ = conn.Read(make([]byte, 1024))
				_, _ = conn.Write(words)
				_, _ = io.Copy(io.Discard, conn)
			}()
		}
	}()
	return int32(listener.Addr().(*net.TCPAddr).Port)
}

func message(kind byte, body string) string {
	head := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))
	return string(head) + body
}

// A server that speaks the protocol, and abuses it, costs little and has no answer.
func TestAServerThatAbusesTheProtocol(t *testing.T) {
	welcome := message('R', "\x00\x00\x00\x00") + message('K', "12345678") + message('Z', "I")
	begun := welcome + message('1', "") + message('2', "") + message('n', "") + message('C', "BEGIN\x00")
	for name, said := range map[string]string{
		"settings without end":         message('R', "\x00\x00\x00\x00") + strings.Repeat(message('S', "a\x00b\x00"), 100_000),
		"notices without end":          begun + strings.Repeat(message('N', "SERROR\x00Mx\x00\x00"), 100_000),
		"notifications without end":    begun + strings.Repeat(message('A', "\x00\x00\x00\x01jobs\x00q\x00"), 100_000),
		"results without end":          begun + strings.Repeat(message('1', "")+message('2', "")+message('n', "")+message('C', "SELECT 1\x00"), 100_000),
		"columns without end":          begun + message('1', "") + message('2', "") + message('T', "\xff\xff"+strings.Repeat("\x00", 16000)),
		"a row of 65535 values":        begun + message('1', "") + message('2', "") + message('T', "\x00\x00") + message('D', "\xff\xff"+strings.Repeat("\xff", 16000)),
		"a row of negative lengths":    begun + message('1', "") + message('2', "") + message('T', "\x00\x00") + message('D', "\x00\x02\x80\x00\x00\x00\x80\x00\x00\x00"),
		"a message of a gigabyte":      begun + "D\x40\x00\x00\x00",
		"a message of less than none":  begun + "D\x00\x00\x00\x03",
		"an error without an end":      begun + message('E', strings.Repeat("Mx", 8000)),
		"an error of nothing":          begun + message('E', "\x00"),
		"work for years":               message('R', "\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00") + message('R', "\x00\x00\x00\x0br=x,s=eA==,i=2147483647"),
		"all done, and no row":         welcome + strings.Repeat(message('1', "")+message('2', "")+message('n', "")+message('C', "X\x00"), 4) + message('Z', "I"),
		"an empty statement":           begun + message('1', "") + message('2', "") + message('I', "") + message('Z', "I"),
		"a copy":                       begun + message('G', "\x00\x00\x00") + message('W', "\x00\x00\x00"),
		"nothing but the end":          begun + message('Z', "I"),
		"another protocol's version":   message('v', "\x00\x00\x00\x00\x00\x00\x00\x01\x00"),
		"the end before the beginning": message('Z', "I"),
	} {
		t.Run(name, func(t *testing.T) {
			config, err := kindWithBlock().Parse(broker.Settings{Host: "127.0.0.1", Port: fake(t, said), Password: broker.NewSecret("hush")})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			d, err := Open(ctx, config.(Config), silent)
			if err == nil {
				_, err = d.Depths(ctx, queriesOf("q"))
				d.Close()
			}
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Error("it is taken for an answer")
			} else if len(err.Error()) > 600 || strings.Contains(err.Error(), "hush") {
				t.Errorf("the error is %q", err)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
				t.Errorf("it has taken %d KiB", took>>10)
			}
		})
	}
}

// A notification rings for the queue that it names, and for all where nobody knows what it says.
func TestPayloads(t *testing.T) {
	var rung []string
	b := newDoorbell("jobs", func(queues ...string) { rung = append(rung, strings.Join(queues, ",")+"!") })
	b.know(queriesOf("q"))
	for _, payload := range []string{"q", "", "Q", strings.Repeat("x", 8000), "\x00\x1b[31m"} {
		b.notified(payload)
	}
	if got := strings.Join(rung, " "); got != "q! ! ! ! !" {
		t.Errorf("it rang %q", got)
	}
	if len(b.queues) != 1 {
		t.Errorf("it has kept %d names", len(b.queues))
	}
}

// Who listens makes way for who reads, again and again, and hears what comes in between.
func TestListeningMakesWay(t *testing.T) {
	s := newServer(t)
	config, err := parse(s.Settings())
	if err != nil {
		t.Fatal(err)
	}
	rung := make(chan struct{}, 10_000)
	d, err := Open(t.Context(), config.(Config), func(...string) { rung <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for i := range 200 {
		if i%20 == 0 {
			s.Push("q", 1)
		}
		if _, err := d.Depths(t.Context(), queriesOf("q")); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		select {
		case <-rung:
		case <-time.After(30 * time.Second):
			t.Fatal("a notification is missing")
		}
	}
	// A connection that breaks while nobody reads rings, so that somebody does.
	s.do("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'qscaler' AND datname = $1", s.database)
	select {
	case <-rung:
	case <-time.After(30 * time.Second):
		t.Fatal("nobody is told that the connection has ended")
	}
	if _, err := d.Depths(t.Context(), queriesOf("q")); broker.ReasonOf(err) != broker.ReasonConnectionLost {
		t.Errorf("%v, want %s", err, broker.ReasonConnectionLost)
	}
}
