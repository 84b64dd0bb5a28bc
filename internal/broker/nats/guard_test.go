package nats

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
)

// through is what the guard makes of what a server sends, with so many answers asked for.
func through(t testing.TB, sent string, answers int) (passed string, err error) {
	t.Helper()
	client, server := net.Pipe()
	defer func() { _ = client.Close() }()
	go func() {
		_, _ = io.WriteString(server, sent)
		_ = server.Close()
	}()
	g := newGuard(client, "_INBOX")
	g.expect(answers, 0)
	text, err := io.ReadAll(g)
	if first := g.failure(); err != nil && !errors.Is(err, first) && !errors.As(first, new(refusal)) {
		t.Errorf("it keeps %v of %v", first, err)
	}
	return string(text), err
}

func TestGuard(t *testing.T) {
	body := func(n int) string { return strings.Repeat("x", n) }
	long, subject, much := "INFO "+body(3*longestLine)+"\r\n", body(4*longestSubject), answer("_INBOX.a", body(longestAnswer/2+4*bytesPerAnswer))
	cases := map[string]struct {
		sent, passed, says string
		answers            int
	}{
		"lines":                     {"INFO {}\r\nPING\r\nPONG\r\n+OK\r\n-ERR 'x'\r\n", "INFO {}\r\nPING\r\nPONG\r\n+OK\r\n-ERR 'x'\r\n", "", 0},
		"an answer":                 {"MSG _INBOX.a.1 1 5\r\nhello\r\nPONG\r\n", "MSG _INBOX.a.1 1 5\r\nhello\r\nPONG\r\n", "", 1},
		"an answer with a reply":    {"MSG _INBOX.a.1 1 r 0\r\n\r\n", "MSG _INBOX.a.1 1 r 0\r\n\r\n", "", 1},
		"an answer with headers":    {"HMSG _INBOX.a.1 1 4 5\r\nNA\r\nx\r\n", "HMSG _INBOX.a.1 1 4 5\r\nNA\r\nx\r\n", "", 1},
		"one that was not asked":    {"MSG _INBOX.a.1 1 5\r\nhello\r\nPONG\r\n", "MSG _INBOX.a.1 1 0\r\n\r\nPONG\r\n", "", 0},
		"a message":                 {"MSG orders 7 5\r\nhello\r\nPONG\r\n", "MSG orders 7 0\r\n\r\nPONG\r\n", "", 9},
		"a message with headers":    {"HMSG orders 7 2 5\r\nhello\r\n", "MSG orders 7 0\r\n\r\n", "", 9},
		"an empty message":          {"MSG orders 7 0\r\n\r\n", "MSG orders 7 0\r\n\r\n", "", 9},
		"the longest answer":        {fmt.Sprintf("MSG _INBOX.a 1 %d\r\n%s\r\n", longestAnswer, body(longestAnswer)), fmt.Sprintf("MSG _INBOX.a 1 %d\r\n%s\r\n", longestAnswer, body(longestAnswer)), "", 1},
		"a longer one":              {fmt.Sprintf("MSG _INBOX.a 1 %d\r\n%s\r\nPONG\r\n", longestAnswer+1, body(longestAnswer+1)), "MSG _INBOX.a 1 8\r\ntoo long\r\nPONG\r\n", "", 1},
		"headers that are too long": {fmt.Sprintf("HMSG _INBOX.a 1 %d %d\r\n%s\r\n", longestHeader+1, longestHeader+1, body(longestHeader+1)), "MSG _INBOX.a 1 8\r\ntoo long\r\n", "", 1},
		"the longest line":          {"-ERR " + body(longestLine-7) + "\r\n", "-ERR " + body(longestLine-7) + "\r\n", "", 0},
		"a longer line":             {"-ERR " + body(longestLine) + "\r\n", "", "without an end", 0},
		"a long INFO":               {"INFO " + body(3*longestLine) + "\r\n", "INFO " + body(3*longestLine) + "\r\n", "", 0},
		"a longer INFO":             {"INFO " + body(longestInfo+longestLine) + "\r\n", "", "without an end", 0},
		"another end":               {"PING\n", "", "ends in another way", 0},
		"a return within":           {"-ERR a\rb\r\n", "", "cannot be printed", 0},
		"lower case":                {"ping\r\n", "", "no meaning", 0},
		"too much in it":            {"PING x\r\n", "", "too much in it", 0},
		"a command of clients":      {"SUB a 1\r\n", "", "no meaning", 0},
		"a huge length":             {"MSG _INBOX.a 1 99999999999999999999\r\n", "", "a length that cannot be", 1},
		"a length beyond 31 bits":   {"MSG _INBOX.a 1 2147483648\r\n", "", "a length that cannot be", 1},
		"a negative length":         {"MSG _INBOX.a 1 -1\r\n", "", "a length that cannot be", 1},
		"a subscription of no kind": {"MSG _INBOX.a x 1\r\n", "", "a length that cannot be", 1},
		"headers beyond the end":    {"HMSG _INBOX.a 1 6 5\r\nhello\r\n", "", "a length that cannot be", 1},
		"too few words":             {"MSG _INBOX.a 5\r\n", "", "all that belongs to it", 1},
		"too many words":            {"MSG _INBOX.a 1 r r 5\r\n", "", "all that belongs to it", 1},
		"longer than it says":       {"MSG _INBOX.a 1 3\r\nhello\r\n", "MSG _INBOX.a 1 3\r\n", "longer than it said", 1},
		"cut":                       {"MSG _INBOX.a 1 9\r\nhello", "MSG _INBOX.a 1 9\r\nhello", "", 1},
		"lines without end":         {strings.Repeat("PING\r\n", mostLines+1), strings.Repeat("PING\r\n", mostLines), "much that was not asked for", 0},
		"messages without end":      {strings.Repeat("MSG a 1 1\r\nx\r\n", mostLines+1), strings.Repeat("MSG a 1 0\r\n\r\n", mostLines), "much that was not asked for", 0},
		"long lines without end":    {strings.Repeat(long, mostLines), strings.Repeat(long, mostLineBytes/(len(long)-2)), "much that was not asked for", 0},
		"long messages without end": {strings.Repeat("MSG "+subject+" 1 1\r\nx\r\n", mostLines), strings.Repeat("MSG "+subject+" 1 0\r\n\r\n", mostLineBytes/(len(subject)+8)), "much that was not asked for", 0},
		"too much together":         {much + much + answer("_INBOX.a", "x"), much + answer("_INBOX.a", tooMuch) + answer("_INBOX.a", "x"), "", 3},
		"to a long subject":         {answer("_INBOX."+subject, "hello"), answer("_INBOX."+subject, ""), "", 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			passed, err := through(t, c.sent, c.answers)
			if c.says == "" && errors.As(err, new(strange)) || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("error %v, want %q", err, c.says)
			}
			if passed != c.passed {
				t.Errorf("passed on %.200q (%d bytes), want %.200q (%d)", passed, len(passed), c.passed, len(c.passed))
			}
		})
	}
}

// FuzzGuard sends anything. What the guard passes on is what it passes on when it reads it again, but for a message
// without its end, and is bounded.
func FuzzGuard(f *testing.F) {
	for _, seed := range []string{"INFO {}\r\nPING\r\n", "MSG _INBOX.a 1 5\r\nhello\r\n", "HMSG _INBOX.a 1 2 5\r\nhello\r\nPONG\r\n", "MSG a 1 3\r\nabc\r\n-ERR 'x'\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		passed, _ := through(t, string(sent), 2)
		again, _ := through(t, passed, 2)
		// Of a message that the connection ends within, the first line may have been passed on: without its end, it is none.
		if rest, isBegin := strings.CutPrefix(passed, again); !isBegin || (rest != "" && (!strings.HasSuffix(rest, " 0\r\n") || strings.Count(rest, "\n") != 1)) {
			t.Errorf("%q is passed on as %q, and that as %q", sent, passed, again)
		}
		if len(passed) > 2*len(sent)+100 {
			t.Errorf("%d bytes become %d", len(sent), len(passed))
		}
	})
}

// fake is a server that says what a test wants: first is sent at once, answer to each request for a consumer.
type fake struct {
	first  string
	answer func(inbox string) string
	// write, where it is set, answers in the place of answer.
	write func(to io.Writer, subject, inbox string)
}

func (f fake) start(t *testing.T) (host string, port int32) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go f.serve(conn)
		}
	}()
	address := listener.Addr().(*net.TCPAddr)
	return "127.0.0.1", int32(address.Port)
}

func (f fake) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, f.first)
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case words[0] == "PING":
			_, _ = io.WriteString(conn, "PONG\r\n")
		case words[0] == "PUB" && len(words) == 4 && f.write != nil:
			f.write(conn, words[1], words[2])
		case words[0] == "PUB" && len(words) == 4:
			_, _ = io.WriteString(conn, f.answer(words[2]))
		}
	}
}

const info = "INFO {\"server_id\":\"x\",\"version\":\"2.15.3\",\"proto\":1,\"headers\":true,\"max_payload\":1048576}\r\n"

func answer(inbox, body string) string {
	return fmt.Sprintf("MSG %s 1 %d\r\n%s\r\n", inbox, len(body), body)
}

// A server that speaks the protocol, and lies: no zero comes of it, and no more memory than a real one takes.
func TestHostileServer(t *testing.T) {
	good := `{"stream_name":"q","name":"w","num_pending":3,"num_ack_pending":1,"config":{}}`
	cases := map[string]struct {
		body string
		says string
	}{
		"as it should be":             {good, ""},
		"another stream":              {strings.Replace(good, `"q"`, `"r"`, 1), "was asked of another"},
		"another consumer":            {strings.Replace(good, `"w"`, `"v"`, 1), "was asked of another"},
		"no count":                    {strings.Replace(good, `"num_pending":3,`, "", 1), "no number as num_pending"},
		"no count of what is taken":   {strings.Replace(good, `"num_ack_pending":1,`, "", 1), "no number as num_ack_pending"},
		"a negative count":            {strings.Replace(good, ":3", ":-3", 1), "no number"},
		"a count that cannot be":      {strings.Replace(good, ":3", ":9999999999999", 1), "no number"},
		"a count beyond 64 bits":      {strings.Replace(good, ":3", ":18446744073709551615", 1), "cannot be read"},
		"a count that is a text":      {strings.Replace(good, ":3", `:"3"`, 1), "cannot be read"},
		"null":                        {"null", "was asked of another"},
		"an empty answer":             {"", "cannot be read"},
		"nested arrays":               {strings.Repeat("[", 200_000), "cannot be read"},
		"nested objects":              {strings.Repeat(`{"config":`, 20_000), "cannot be read"},
		"a megabyte":                  {`{"x":"` + strings.Repeat("x", 1<<20) + `"}`, "more than 256 KiB"},
		"subjects without end":        {strings.Replace(good, "{}", `{"filter_subjects":[`+strings.Repeat(`"a",`, 50_000)+`"a"]}`, 1), ""},
		"an error with bad words":     {`{"error":{"code":500,"err_code":1,"description":"a\u001b[31mb\u202ec` + strings.Repeat("é", 9000) + `"}}`, "JetStream answers: a[31mbc"},
		"an error without words":      {`{"error":{}}`, "JetStream answers"},
		"subjects that are none":      {strings.Replace(good, "{}", `{"filter_subject":"a\r\nPUB b 0\r\n"}`, 1), ""},
		"a policy that there is not":  {strings.Replace(good, "{}", `{"ack_policy":"perhaps"}`, 1), ""},
		"many fields of one name":     {"{" + strings.Repeat(`"num_pending":0,`, 10_000) + good[1:], ""},
		"an answer of another length": {good + strings.Repeat(" ", 1000), ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			host, port := fake{first: info, answer: func(inbox string) string { return answer(inbox, c.body) }}.start(t)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			a, err := askFake(t, host, port)
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > 8<<20 { // with what the fake takes
				t.Errorf("it has taken %d KiB", took>>10)
			}
			if err == nil {
				err = a.Err
			}
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 700 {
					t.Errorf("%+v, %v; want %q", a, err, c.says)
				}
				return
			}
			if err != nil || !cmp.Equal(a.Depth, depthOf(3, 1)) {
				t.Errorf("%+v, %v; want 3 and 1", a, err)
			}
		})
	}
}

// askFake reads one queue of a fake server with a worker, over a connection of its own.
func askFake(t testing.TB, host string, port int32) (broker.Answer, error) {
	t.Helper()
	config, err := parse(broker.Settings{Host: host, Port: port})
	must(t, err)
	d, err := Open(t.Context(), config.(Config), nil)
	if err != nil {
		return broker.Answer{}, err
	}
	defer d.Close()
	answers, err := d.Depths(t.Context(), []broker.Query{{Queue: "q", Group: "w", Workers: []broker.Worker{{PodName: "p"}}}})
	if err != nil {
		return broker.Answer{}, err
	}
	return answers[0], nil
}

// What a server says in the place of a login, and in other places than the answer.
func TestStrangeConversations(t *testing.T) {
	good := `{"stream_name":"q","name":"w","num_pending":3,"num_ack_pending":1,"config":{}}`
	fine := func(inbox string) string { return answer(inbox, good) }
	cases := map[string]struct {
		fake
		reason broker.Reason
		says   string
	}{
		"another server":         {fake{"+OK redis\r\n", fine, nil}, broker.ReasonUnknown, "is it NATS?"},
		"a server of the web":    {fake{"HTTP/1.1 400 Bad Request\r\n\r\n", fine, nil}, broker.ReasonUnknown, "no meaning; is it NATS?"},
		"INFO that is no JSON":   {fake{"INFO {\r\n", fine, nil}, broker.ReasonUnknown, "JSON"},
		"other servers to go to": {fake{strings.Replace(info, "{", `{"connect_urls":["127.0.0.1:1","169.254.169.254:80"],`, 1), fine, nil}, "", ""},
		"too many connections":   {fake{"-ERR 'maximum connections exceeded'\r\n", fine, nil}, broker.ReasonUnknown, "the server refuses: maximum connections exceeded"},
		"TLS that it wants":      {fake{info + "-ERR 'Secure Connection - TLS Required'\r\n", fine, nil}, broker.ReasonTLSFailed, "set config.tls"},
		"answers twice":          {fake{info, func(i string) string { return answer(i, good) + answer(i, strings.Replace(good, "3", "0", 1)) }, nil}, "", ""},
		"an answer in its place": {fake{info, func(i string) string { return answer(i+"x", "{}") + answer(i, good) }, nil}, broker.ReasonUnknown, "cannot be read"},
		"an answer with much":    {fake{info, func(i string) string { return strings.Repeat("MSG a 9 1\r\nx\r\n", 2*mostLines) + answer(i, good) }, nil}, broker.ReasonUnknown, "was not asked for"},
		"headers that are none":  {fake{info, func(i string) string { return fmt.Sprintf("HMSG %s 1 5 %d\r\nhello%s\r\n", i, 5+len(good), good) }, nil}, "", ""},
		"nobody":                 {fake{info, func(i string) string { return "HMSG " + i + " 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n" }, nil}, ReasonNoJetStream, "JetStream does not answer"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			host, port := c.start(t)
			a, err := askFake(t, host, port)
			if c.reason == "" {
				if err != nil || a.Err != nil || !cmp.Equal(a.Depth, depthOf(3, 1)) {
					t.Errorf("%+v, %v; want 3 and 1", a, err)
				}
				return
			}
			expectFailure(t, name, err, c.reason, c.says)
		})
	}
}

// A list of subjects ends at its bound, whatever comes after it.
func TestFewSubjects(t *testing.T) {
	var f few
	if err := json.Unmarshal([]byte(`["a","b"]`), &f); err != nil || len(f) != 2 {
		t.Errorf("%v, %v", f, err)
	}
	many := bytes.TrimSuffix(bytes.Repeat([]byte(`"a",`), 10*mostSubjects), []byte(","))
	if err := json.Unmarshal(fmt.Appendf(nil, "[%s]", many), &f); err != nil || len(f) != mostSubjects+1 {
		t.Errorf("%d subjects, %v", len(f), err)
	}
	text, err := json.Marshal([]string{"a", strings.Repeat("x", longestSubject+1), "b"})
	must(t, err)
	if err := json.Unmarshal(text, &f); err != nil || !slices.Equal(f, few{"a", noSubject, "b"}) {
		t.Errorf("%d subjects, %v", len(f), err)
	}
	long := fmt.Sprintf("%q,", strings.Repeat("x", longestSubject))
	text = []byte("[" + strings.Repeat(long, 50) + `"b"]`)
	if err := json.Unmarshal(text, &f); err != nil || len(f) != mostSubjectBytes/longestSubject+1 || f[len(f)-1] != noSubject {
		t.Errorf("%d subjects, %v", len(f), err)
	}
	if err := json.Unmarshal([]byte(`[1]`), &f); err == nil {
		t.Error("a number is no subject")
	}
}
