package mysql

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"database/sql/driver"
	"encoding/binary"
	"encoding/pem"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// script is what a fake server says, packet by packet, each after one of the client's. Several in one go are one text.
type script []string

// fake listens, and plays the script to everybody. What clients say goes to heard, if somebody reads it. It returns its port.
func fake(t *testing.T, says script, heard chan<- string) int32 {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go says.play(conn, heard)
		}
	}()
	return int32(listener.Addr().(*net.TCPAddr).Port)
}

func (s script) play(conn net.Conn, heard chan<- string) {
	defer func() { _ = conn.Close() }()
	for i, words := range s {
		if i > 0 {
			packet, err := hear(conn)
			if err != nil {
				return
			}
			select {
			case heard <- packet:
			default:
			}
		}
		if _, err := io.WriteString(conn, words); err != nil {
			return
		}
	}
	_, _ = io.Copy(io.Discard, conn)
}

// hear reads a packet without its head.
func hear(r io.Reader) (string, error) {
	head := make([]byte, headLength)
	if _, err := io.ReadFull(r, head); err != nil {
		return "", err
	}
	body := make([]byte, lengthOf(head))
	_, err := io.ReadFull(r, body)
	return string(body), err
}

// packet is one with its number.
func packet(number byte, body string) string {
	return string([]byte{byte(len(body)), byte(len(body) >> 8), byte(len(body) >> 16), number}) + body
}

const (
	salt    = "12345678"
	longer  = "abcdefghijkl"
	success = "\x00\x00\x00\x02\x00\x00\x00"
	theEnd  = "\xfe\x00\x00\x02\x00"
)

// welcome is the greeting of a server whose users show their passwords in a way.
func welcome(plugin string) string {
	can := binary.LittleEndian.AppendUint32(nil, used|0x80) // and local files
	return packet(0, "\x0a8.0.36\x00\x01\x00\x00\x00"+salt+"\x00"+string(can[:2])+"\x2d\x02\x00"+string(can[2:])+"\x15"+strings.Repeat("\x00", 10)+longer+"\x00"+plugin+"\x00")
}

// described is a column of a type.
func described(number byte, name string, kind byte) string {
	return packet(number, "\x03def\x00\x00\x00"+string([]byte{byte(len(name))})+name+"\x00\x0c\x2d\x00\x00\x01\x00\x00"+string([]byte{kind})+"\x00\x00\x00\x00\x00")
}

func fakeConfig(t *testing.T, port int32) Config {
	t.Helper()
	config, err := kindWithBlock().Parse(broker.Settings{Host: "127.0.0.1", Port: port, Password: broker.NewSecret("hush")})
	if err != nil {
		t.Fatal(err)
	}
	return config.(Config)
}

// A server that speaks the protocol, and abuses it, costs little and has no answer.
func TestAServerThatAbusesTheProtocol(t *testing.T) {
	hello := welcome(pluginNative)
	ready := script{hello, packet(2, success), packet(1, success), packet(1, success)}
	columns := packet(1, "\x01") + described(2, "queue", 253) + packet(3, theEnd)
	prepared := append(ready[:len(ready):len(ready)], columns+packet(4, theEnd), columns+packet(4, "\x07utf8mb4")+packet(5, theEnd),
		packet(1, "\x00\x01\x00\x00\x00\x04\x00\x02\x00\x00\x00\x00")+described(2, "?", 253)+described(3, "?", 253)+packet(4, theEnd)+
			described(5, "a", 8)+described(6, "b", 253)+described(7, "c", 253)+described(8, "d", 8)+packet(9, theEnd))
	result := packet(1, "\x04") + described(2, "a", 8) + described(3, "b", 253) + described(4, "c", 253) + described(5, "d", 8) + packet(6, theEnd)
	after := func(s script, words string) script { return append(s[:len(s):len(s)], words) }
	for name, says := range map[string]script{
		"a greeting of nothing":         {packet(0, "\x0a")},
		"a greeting without an end":     {packet(0, "\x0a"+strings.Repeat("x", 1000))},
		"a greeting of a megabyte":      {"\x00\x00\x10\x00" + strings.Repeat("x", 64<<10)},
		"an old protocol":               {packet(0, "\x09"+hello[5:])},
		"an error of nothing":           {packet(0, "\xff")},
		"an error without words":        {packet(0, "\xff\x10\x04#0800")},
		"a login that goes on":          {hello, strings.Repeat(packet(2, "\x01\x03"), 1000)},
		"another plugin, again":         {hello, packet(2, "\xfe"+pluginNative+"\x00"+salt+longer+"\x00"), packet(4, "\xfe"+pluginNative+"\x00"+salt+longer+"\x00")},
		"a plugin with a short salt":    {hello, packet(2, "\xfe"+pluginNative+"\x00abc\x00")},
		"a key that is none":            {welcome(pluginSHA2), packet(2, "\x01\x04"), packet(4, "\x01-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")},
		"a key of another kind":         {welcome(pluginSHA2), packet(2, "\x01\x04"), packet(4, "\x01"+ellipticKey(t))},
		"success without a status":      {hello, packet(2, "\x00")},
		"success, and more results":     {hello, packet(2, success), packet(1, "\x00\x00\x00\x0a\x00\x00\x00")},
		"packets out of order":          {hello, packet(9, success)},
		"a packet of nothing":           {hello, packet(2, "")},
		"a packet of 16 megabytes":      {hello, "\xff\xff\xff\x02" + strings.Repeat("x", 64<<10)},
		"a column that is cut":          after(ready, packet(1, "\x01")+packet(2, "\x03def")),
		"a length of all bits":          after(ready, packet(1, "\x01")+packet(2, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff")),
		"columns without end":           after(ready, packet(1, "\xfd\xff\xff\xff")),
		"rows that nobody asked for":    after(ready, columns+strings.Repeat(packet(4, "\x01q"), 1000)),
		"a file":                        after(ready, packet(1, "\xfb/etc/passwd")),
		"parameters without end":        after(prepared[:len(prepared)-1], packet(1, "\x00\x01\x00\x00\x00\x04\x00\xff\xff\x00\x00\x00\x00")+strings.Repeat(described(2, "?", 253), 5000)),
		"a row that is cut":             after(prepared, result+packet(7, "\x00\x00\x01\x00")),
		"a row with a rest":             after(prepared, result+packet(7, "\x00\x3c\x00x")),
		"a text longer than its row":    after(prepared, result+packet(7, "\x00\x04\x01\x00\x00\x00\x00\x00\x00\x00\xfd\xff\xff\xff")),
		"a month of 255":                after(prepared, packet(1, "\x01")+described(2, "a", 12)),
		"a type that there is not":      after(prepared, packet(1, "\x01")+described(2, "a", 99)),
		"an answer without rows":        after(prepared, result+packet(7, theEnd)),
		"success in the place of rows":  after(prepared, packet(1, success)),
		"nothing, and then an end":      after(prepared, packet(1, theEnd)),
		"an error in the middle of one": after(prepared, result+packet(7, "\xff\x00")),
		"notices without end":           after(prepared, result+strings.Repeat(packet(7, "\xff\x15\x04#HY000x"), 1000)),
	} {
		t.Run(name, func(t *testing.T) {
			config := fakeConfig(t, fake(t, says, nil))
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			d, err := Open(ctx, config, nil)
			if err == nil {
				_, err = d.Depths(ctx, queriesOf("q"))
				d.Close()
			}
			runtime.ReadMemStats(&after)
			switch {
			case err == nil:
				t.Error("it is taken for an answer")
			case len(err.Error()) > 600 || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "panicked"):
				t.Errorf("the error is %q", err)
			}
			t.Log(err)
			if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
				t.Errorf("it has taken %d KiB", took>>10)
			}
		})
	}
}

func ellipticKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return publicPEM(t, &key.PublicKey)
}

func publicPEM(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// A server that asks for a file of this machine gets none, and nothing of one.
func TestAServerThatAsksForAFile(t *testing.T) {
	heard := make(chan string, 10)
	port := fake(t, script{welcome(pluginNative), packet(2, success), packet(1, "\xfb/etc/passwd"), packet(3, success)}, heard)
	_, err := Open(t.Context(), fakeConfig(t, port), nil)
	if err == nil || !strings.Contains(err.Error(), "asks for a file") {
		t.Errorf("%v, want that it asks for a file", err)
	}
	login, settings := <-heard, <-heard
	if can := binary.LittleEndian.Uint32([]byte(login)); can&0x80 != 0 {
		t.Errorf("the client says that it has local files: %#x", can)
	}
	if !strings.HasPrefix(settings, "\x03SET ") || len(heard) > 0 {
		t.Errorf("it has said %q, and %d packets more", settings, len(heard))
	}
}

// A password is shown as the server asks for it, but never as it is where somebody could read it.
func TestWaysToShowAPassword(t *testing.T) {
	ready := script{packet(1, success), packet(1, success)}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		says   script
		reason broker.Reason
		why    string
	}{
		"native":               {script{welcome(pluginNative), packet(2, success)}, "", ""},
		"known to the server":  {script{welcome(pluginSHA2), packet(2, "\x01\x03") + packet(3, success)}, "", ""},
		"encrypted":            {script{welcome(pluginSHA2), packet(2, "\x01\x04"), packet(4, "\x01"+publicPEM(t, &key.PublicKey)), packet(6, success)}, "", ""},
		"another one":          {script{welcome("sha256_password"), packet(2, "\xfe"+pluginEd+"\x00"+strings.Repeat("s", 32)), packet(4, success)}, "", ""},
		"as it is":             {script{welcome(pluginNative), packet(2, "\xfe"+pluginClear+"\x00")}, broker.ReasonTLSFailed, "set config.tls"},
		"as before 4.1":        {script{welcome(pluginNative), packet(2, "\xfe")}, broker.ReasonAuthenticationFailed, "mysql_old_password"},
		"as before 4.1, named": {script{welcome(pluginNative), packet(2, "\xfemysql_old_password\x00"+salt+"\x00")}, broker.ReasonAuthenticationFailed, "mysql_old_password"},
		"by a window":          {script{welcome(pluginNative), packet(2, "\xfedialog\x00")}, broker.ReasonAuthenticationFailed, "dialog"},
	} {
		t.Run(name, func(t *testing.T) {
			heard := make(chan string, 10)
			says := append(c.says[:len(c.says):len(c.says)], ready...)
			port := fake(t, says, heard)
			conn, err := dial(t.Context(), fakeConfig(t, port))
			if err == nil {
				conn.leave()
			}
			if err = classify(err, fakeConfig(t, port)); c.reason == "" && err != nil {
				t.Errorf("the login fails: %v", err)
			}
			if c.reason != "" && (broker.ReasonOf(err) != c.reason || !strings.Contains(err.Error(), c.why)) {
				t.Errorf("%v; want %s, which says %q", err, c.reason, c.why)
			}
			for i := range len(heard) {
				said := <-heard
				if strings.Contains(said, "hush") {
					t.Errorf("packet %d has the password: %q", i, said)
				}
				if name == "encrypted" && len(said) == key.Size() {
					plain, err := rsa.DecryptOAEP(sha1.New(), nil, key, []byte(said), nil)
					for i := range plain {
						plain[i] ^= (salt + longer)[i%20]
					}
					if err != nil || string(plain) != "hush\x00" {
						t.Errorf("the server reads %q, %v", plain, err)
					}
				}
			}
		})
	}
}

// FuzzGuard has a server send anything from its first byte. The library must not panic, and the connection must end.
func FuzzGuard(f *testing.F) {
	columns := packet(1, "\x01") + described(2, "queue", 253) + packet(3, theEnd)
	ready := welcome(pluginNative) + packet(2, success) + packet(1, success) + packet(1, success)
	f.Add([]byte(welcome(pluginSHA2)+packet(2, "\x01\x04")+packet(4, "\x01")), false)
	f.Add([]byte(welcome(pluginNative)+packet(2, "\xfe"+pluginEd+"\x00"+strings.Repeat("s", 32))+packet(4, success)), false)
	f.Add([]byte(ready+columns+packet(4, "\x01q")+packet(5, theEnd)), false)
	f.Add([]byte(ready+packet(1, "\x00\x01\x00\x00\x00\x02\x00\x01\x00\x00\x00\x00")+described(2, "?", 253)+packet(3, theEnd)+described(4, "a", 8)+
		described(5, "b", 246)+packet(6, theEnd)+packet(1, "\x02")+described(2, "a", 8)+described(3, "b", 246)+packet(4, theEnd)+packet(5, "\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x021x")+packet(6, theEnd)), true)
	f.Add([]byte(ready+packet(1, "\xff\x15\x04#28000no")), true)
	f.Fuzz(func(_ *testing.T, words []byte, prepares bool) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		ours, theirs := net.Pipe()
		go func() {
			go func() { _, _ = io.Copy(io.Discard, theirs) }()
			_, _ = theirs.Write(words)
			_ = theirs.Close()
		}()
		c := &connection{reach: func(context.Context, string, string) (net.Conn, error) { return ours, nil }}
		defer c.abort()
		if c.connect(ctx, Config{Username: "u", Password: broker.NewSecret("hush")}) != nil {
			return
		}
		ignore := answer{columns: func(rows driver.Rows) error { _ = rows.Columns(); return nil }, row: func([][]byte) error { return nil }}
		if !prepares {
			_ = c.askText(ctx, "SELECT 1", 5, ignore)
			return
		}
		_ = c.askPrepared(ctx, statement{sql: "SELECT ?", values: []driver.Value{"q"}}, 5, ignore)
	})
}
