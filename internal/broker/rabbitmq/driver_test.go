package rabbitmq

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/rabbitmqserver/rabbitmqservertest"
)

const waitLimit = time.Minute

// read reads queues, which must succeed.
func read(t *testing.T, d broker.Driver, queries ...broker.Query) []broker.Answer {
	t.Helper()
	answers, err := d.Depths(t.Context(), queries)
	if err != nil || len(answers) != len(queries) {
		t.Fatalf("reading %v: %+v, %v", queries, answers, err)
	}
	return answers
}

// eventually waits until a queue is read as it should be.
func eventually(t *testing.T, d broker.Driver, q broker.Query, what string, right func(broker.Depth) bool) {
	t.Helper()
	for limit := time.Now().Add(waitLimit); ; {
		answer := read(t, d, q)[0]
		if answer.Err == nil && right(answer.Depth) {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("%s is read as %+v, want %s", q.Queue, answer, what)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func confirming(t *testing.T, v *rabbitmqservertest.VHost) *amqp.Channel {
	t.Helper()
	ch := v.Channel()
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	return ch
}

// A name is a name, whatever is in it: in AMQP, and as a part of what the management API lists.
func TestNamesWithEveryCharacter(t *testing.T) {
	t.Parallel()
	s := newServer(t, true)
	ch := confirming(t, s.VHost)
	var printable strings.Builder
	for c := ' '; c <= '~'; c++ {
		printable.WriteRune(c)
	}
	names := []string{printable.String(), "é/日本", "..", "%2F", strings.Repeat("x", longestName)}
	queries := make([]broker.Query, len(names))
	for i, name := range names {
		rabbitmqservertest.Declare(t, ch, name, "classic")
		for range i + 1 {
			rabbitmqservertest.Publish(t, ch, name, "x")
		}
		queries[i].Queue = name
	}
	queries = append(queries, broker.Query{Queue: ""}, broker.Query{Queue: names[4] + "x"}, broker.Query{Queue: "a\nb"})
	for _, management := range []bool{true, false} {
		s.management = management
		for i, answer := range read(t, openDriver(t, s.Settings()), queries...) {
			switch {
			case i >= len(names):
				if broker.ReasonOf(answer.Err) != broker.ReasonInvalidQueue {
					t.Errorf("%q: %+v, want the reason InvalidQueue", queries[i].Queue, answer)
				}
			case answer.Err != nil || answer.Depth.Waiting != broker.CountOf(int64(i+1)):
				t.Errorf("%q: %+v, want %d waiting", queries[i].Queue, answer, i+1)
			}
		}
	}
}

// One queue of fifty that cannot be read fails alone.
func TestOneOfFifty(t *testing.T) {
	t.Parallel()
	s := newServer(t, false)
	ch := confirming(t, s.VHost)
	if _, err := ch.QueueDeclare("q7", false, false, true, false, nil); err != nil {
		t.Fatal(err)
	}
	queries := make([]broker.Query, 50)
	for i := range queries {
		queries[i].Queue = fmt.Sprint("q", i)
		if i != 7 {
			rabbitmqservertest.Declare(t, ch, queries[i].Queue, "classic")
			rabbitmqservertest.Publish(t, ch, queries[i].Queue, "x")
		}
	}
	for _, s.management = range []bool{false, true} {
		d := openDriver(t, s.Settings())
		for range 2 {
			for i, answer := range read(t, d, queries...) {
				if i == 7 {
					if broker.ReasonOf(answer.Err) != broker.ReasonPermissionDenied || !strings.Contains(answer.Err.Error(), "exclusive") {
						t.Errorf("the queue of somebody else: %+v, want the reason PermissionDenied", answer)
					}
				} else if answer.Err != nil || answer.Depth.Waiting != broker.CountOf(1) {
					t.Errorf("%s: %+v, want 1 waiting", queries[i].Queue, answer)
				}
			}
		}
	}
}

// A quorum queue is read like any other, and so is one that is deleted and made again.
func TestQueuesOfBothTypes(t *testing.T) {
	t.Parallel()
	s := newServer(t, true)
	d, ch := openDriver(t, s.Settings()), confirming(t, s.VHost)
	for _, kind := range []string{"classic", "quorum", "classic"} {
		rabbitmqservertest.Declare(t, ch, "q", kind)
		for range 3 {
			rabbitmqservertest.Publish(t, ch, "q", "x")
		}
		eventually(t, d, broker.Query{Queue: "q"}, "3 waiting", func(d broker.Depth) bool {
			return d.Waiting == broker.CountOf(3) && d.InFlight == broker.CountOf(0)
		})
		worker := s.Dial("127.0.0.9")
		wch, err := worker.Channel()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok, err := wch.Get("q", false); !ok || err != nil {
			t.Fatalf("taking a message: %t, %v", ok, err)
		}
		eventually(t, d, broker.Query{Queue: "q"}, "2 waiting and 1 in flight", func(d broker.Depth) bool {
			return d.Waiting == broker.CountOf(2) && d.InFlight == broker.CountOf(1)
		})
		if err := worker.Close(); err != nil {
			t.Error(err)
		}
		eventually(t, d, broker.Query{Queue: "q"}, "3 waiting again", func(d broker.Depth) bool { return d.Waiting == broker.CountOf(3) })
		if _, err := ch.QueueDelete("q", false, false, false); err != nil {
			t.Fatal(err)
		}
		eventually(t, d, broker.Query{Queue: "q"}, "an empty queue", func(d broker.Depth) bool {
			return d.Waiting == broker.CountOf(0) && d.InFlight == broker.CountOf(0)
		})
	}
}

// Who holds a message is told by the address, where the channel consumes this queue alone. Who acknowledges as soon as the
// message is sent holds none, and is at work all the same: then not every message is counted.
func TestWhoIsBusy(t *testing.T) {
	t.Parallel()
	s := newServer(t, true)
	d, ch := openDriver(t, s.Settings()), confirming(t, s.VHost)
	for _, queue := range []string{"q", "r", "auto"} {
		rabbitmqservertest.Declare(t, ch, queue, "classic")
		for range 5 {
			rabbitmqservertest.Publish(t, ch, queue, "x")
		}
	}
	consume := func(address string, automatic bool, queues ...string) {
		conn := s.Dial(address)
		t.Cleanup(func() { _ = conn.Close() })
		wch, err := conn.Channel()
		if err == nil {
			err = wch.Qos(2, 0, false)
		}
		for _, queue := range queues {
			if err == nil {
				_, err = wch.Consume(queue, "", automatic, false, false, false, nil)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	consume("127.0.0.11", false, "q")
	consume("127.0.0.12", false, "q", "r")
	consume("127.0.0.13", true, "auto")
	pods := []broker.Worker{{PodName: "one", PodIP: "127.0.0.11"}, {PodName: "both", PodIP: "127.0.0.12"}, {PodName: "auto", PodIP: "127.0.0.13"}, {PodName: "none", PodIP: "127.0.0.14"}}
	eventually(t, d, broker.Query{Queue: "q", Workers: pods}, "two held by the first", func(d broker.Depth) bool {
		return d.InFlight == broker.CountOf(4) && len(d.Held) == 1 && d.Held["one"] == 2 && d.CountsAll
	})
	eventually(t, d, broker.Query{Queue: "auto", Workers: pods}, "nobody known to be busy, nor idle", func(d broker.Depth) bool {
		return d.Waiting == broker.CountOf(0) && d.InFlight == broker.CountOf(0) && d.Held != nil && len(d.Held) == 0 && !d.CountsAll
	})
	// Who may only see what is its own does not take others for idle.
	s.SetUser(s.User, s.Password, "management")
	got := read(t, openDriver(t, s.Settings()), broker.Query{Queue: "q", Workers: pods})[0].Depth
	if got.Held != nil || got.CountsAll || !got.InFlight.Known {
		t.Errorf("without the tag monitoring: %+v, want what is in flight, and not who holds it", got)
	}
}

// A restart of the queue's node, or a queue without statistics yet, is no queue without messages in flight.
func TestAQueueThatTellsNothing(t *testing.T) {
	told := &snapshot{queues: map[string]totals{"silent": {there: true}}}
	d := &driver{config: Config{Statistics: time.Second}, memory: memory{}}
	got := d.depth(told, broker.Query{Queue: "silent"}, 4, time.Now())
	if got.Waiting != broker.CountOf(4) || got.InFlight.Known {
		t.Errorf("the depth is %+v, want 4 waiting, and what is in flight unknown", got)
	}
}

// The rights that the docs give are enough, and are none to any queue.
func TestLeastRights(t *testing.T) {
	t.Parallel()
	s := newServer(t, true)
	ch := confirming(t, s.VHost)
	rabbitmqservertest.Declare(t, ch, "q", "classic")
	rabbitmqservertest.Publish(t, ch, "q", "x")
	// What add_user, set_user_tags and set_permissions of rabbitmqctl do, which takes a minute on a busy machine.
	s.SetUser("qscaler-"+s.User, "secret", "monitoring")
	s.Manage(http.MethodPut, "/api/permissions/"+url.PathEscape(s.Name)+"/qscaler-"+s.User, map[string]string{"configure": "^$", "write": "^$", "read": "^$"})
	t.Cleanup(func() { s.Manage(http.MethodDelete, "/api/users/qscaler-"+s.User, nil) })
	settings := s.Settings()
	settings.Username, settings.Password = "qscaler-"+s.User, broker.NewSecret("secret")
	eventually(t, openDriver(t, settings), broker.Query{Queue: "q", Workers: []broker.Worker{{PodName: "w", PodIP: "127.0.0.9"}}}, "1 waiting", func(d broker.Depth) bool {
		return d.Waiting == broker.CountOf(1) && d.InFlight.Known && d.Held != nil
	})
	conn, err := amqp.DialConfig("amqp://"+s.Addr(), amqp.Config{Vhost: s.Name, SASL: []amqp.Authentication{&amqp.PlainAuth{Username: settings.Username, Password: "secret"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	own, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := own.Get("q", false); err == nil || !strings.Contains(err.Error(), "ACCESS_REFUSED") {
		t.Errorf("the operator's user may take messages: %v", err)
	}
}

// block is the settings with another block of their own.
func block(s broker.Settings, vhost string, port int) broker.Settings {
	s.Own, _ = json.Marshal(map[string]any{"vhost": vhost, "managementPort": port})
	return s
}

func TestWhatCanBeWrong(t *testing.T) {
	t.Parallel()
	s := newServer(t, true)
	page := httpServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) })
	elsewhere := httpServer(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
	})
	flood := httpServer(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 1 << 10 {
			if _, err := w.Write([]byte(strings.Repeat("x", 64<<10))); err != nil {
				return
			}
		}
	})
	s.SetUser("nobody", "secret", "monitoring")
	t.Cleanup(func() { s.Manage(http.MethodDelete, "/api/users/nobody", nil) })
	s.SetUser("plain-"+s.User, "secret", "")
	s.Manage(http.MethodPut, "/api/permissions/"+url.PathEscape(s.Name)+"/plain-"+s.User, map[string]string{"configure": "^$", "write": "^$", "read": "^$"})
	t.Cleanup(func() { s.Manage(http.MethodDelete, "/api/users/plain-"+s.User, nil) })
	as := func(user string, settings broker.Settings) broker.Settings {
		settings.Username, settings.Password = user, broker.NewSecret("secret")
		return settings
	}
	right := s.Settings()
	onPort := func(port int) broker.Settings {
		settings := right
		settings.Port = int32(port)
		return settings
	}
	cases := map[string]struct {
		settings broker.Settings
		reason   broker.Reason
		says     string
	}{
		"a virtual host that is not there":  {block(right, "nowhere", s.ManagementPort()), broker.ReasonVHostNotFound, "add_vhost"},
		"no rights in the virtual host":     {as("nobody", right), broker.ReasonPermissionDenied, "set_permissions"},
		"no right to the management API":    {as("plain-"+s.User, right), broker.ReasonPermissionDenied, "set_user_tags"},
		"the management API as AMQP":        {onPort(s.ManagementPort()), broker.ReasonConnectionLost, "is config.port that of AMQP"},
		"AMQP as the management API":        {block(right, s.Name, s.Port()), broker.ReasonUnknown, "does not speak HTTP"},
		"nobody at the management port":     {block(right, s.Name, 1), broker.ReasonConnectionRefused, "management API"},
		"another web server":                {block(right, s.Name, page), broker.ReasonUnknown, "else than JSON"},
		"a server that sends it elsewhere":  {block(right, s.Name, elsewhere), broker.ReasonUnknown, "302"},
		"a server that sends megabytes":     {block(right, s.Name, flood), broker.ReasonUnknown, "else than JSON"},
		"a web server in the place of AMQP": {onPort(page), broker.ReasonTimeout, "is config.port another"},
		"a wrong password":                  {as(s.User, right), broker.ReasonAuthenticationFailed, "config.password"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // some wait for servers that say nothing
			config, err := parse(c.settings)
			if err != nil {
				t.Fatal(err)
			}
			d, err := Open(t.Context(), config.(Config), nil)
			if err == nil {
				d.Close()
				t.Fatal("it opens")
			}
			if broker.ReasonOf(err) != c.reason || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 600 {
				t.Errorf("%s: %v; want %s, with %q", broker.ReasonOf(err), err, c.reason, c.says)
			}
		})
	}
}
