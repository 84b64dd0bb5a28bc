package brokertest

import (
	"context"
	"strings"
	"testing"
	"time"
	"unicode"

	"go.uber.org/goleak"

	"github.com/quickube/qscaler/internal/broker"
)

// fails checks a failure: it has words that a person can read, and no password.
func fails(t *testing.T, err error, secrets ...string) {
	t.Helper()
	if err == nil {
		t.Error("there is no error")
		return
	}
	const longest = 600 // 300 of the broker's, and ours
	text := err.Error()
	if len(text) > longest || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("the error has %d bytes, or such as cannot be printed: %.700q", len(text), text)
	}
	if explained := strings.TrimSpace(text); explained == "" || strings.HasSuffix(explained, ":") || strings.Contains(explained, "()") {
		t.Errorf("the error explains nothing: %q", text)
	}
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("the password is in the error: %s", text)
		}
	}
}

func failsFor(t *testing.T, err error, want broker.Reason, secrets ...string) {
	t.Helper()
	fails(t, err, secrets...)
	if got := broker.ReasonOf(err); got != want {
		t.Errorf("%v is %s, want %s", err, got, want)
	}
}

const (
	rightPassword = "th3-right-one"
	wrongOne      = "th3-wr0ng-one"
)

// wrongPassword: a broker without passwords refuses one before it connects, because the user believes in it.
func wrongPassword(t *testing.T, h Harness) {
	if h.SetPassword == nil {
		_, err := h.Kind.Parse(broker.Settings{Host: "h", Port: h.Kind.Port, Password: broker.NewSecret(wrongOne)})
		fails(t, err, wrongOne)
		return
	}
	s := h.Start(t)
	h.SetPassword(t, s, rightPassword)
	settings := s.Settings()
	const newline, none = "ends in a newline", "no password was sent"
	for name, c := range map[string]struct{ password, hint string }{
		"a wrong one":                  {wrongOne, ""},
		"none":                         {"", none},
		"the right one, and a newline": {rightPassword + "\n", newline},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // a server may keep back its answer to a wrong one
			settings := settings
			settings.Password = broker.NewSecret(c.password)
			_, err := readOnce(t, h, settings, h.query("q"))
			failsFor(t, err, broker.ReasonAuthenticationFailed, wrongOne, rightPassword)
			for _, hint := range []string{newline, none} {
				if err != nil && strings.Contains(err.Error(), hint) != (hint == c.hint) {
					t.Errorf("want the hint %q alone: %v", c.hint, err)
				}
			}
		})
	}
}

func rotation(t *testing.T, h Harness) {
	if h.SetPassword == nil {
		return
	}
	s := h.Start(t)
	s.Push("q", 3)
	settings := s.Settings()
	for _, password := range []string{"first-0ne", "sec0nd-one"} {
		h.SetPassword(t, s, password)
		if _, err := readOnce(t, h, settings, h.query("q")); err == nil {
			t.Error("the former password is still taken")
		} else {
			failsFor(t, err, broker.ReasonAuthenticationFailed)
		}
		settings.Password = broker.NewSecret(password)
		answers, err := readOnce(t, h, settings, h.query("q"))
		if err != nil || len(answers) != 1 || answers[0].Depth.Waiting != broker.CountOf(3) {
			t.Errorf("with the new password: %+v, %v; want 3 waiting", answers, err)
		}
	}
}

// restart: whatever is answered around it is right, and a new connection is answered soon.
func restart(t *testing.T, h Harness) {
	s := h.Start(t)
	s.Push("q", 4)
	d := open(t, h, s.Settings())
	idle := map[string]int64{"w": 0}
	check(t, h, depth(t, d, h.query("q", "w")), 4, 0, idle)
	s.Restart()
	answers, err := d.Depths(t.Context(), []broker.Query{h.query("q", "w")})
	switch {
	case err != nil:
		fails(t, err)
	case len(answers) != 1 || answers[0].Err != nil:
		t.Errorf("%+v, want one answer, without an error", answers)
	default:
		check(t, h, answers[0].Depth, 4, 0, idle)
	}
	check(t, h, depth(t, open(t, h, s.Settings()), h.query("q", "w")), 4, 0, idle)
}

func hanging(t *testing.T, h Harness) {
	s := h.Start(t)
	h.declare(s, "q")
	d := open(t, h, s.Settings())
	depth(t, d, h.query("q"))
	s.Pause()
	defer s.Resume()
	ctx, cancel := context.WithTimeout(t.Context(), deadline/4)
	defer cancel()
	began := time.Now()
	_, err := d.Depths(ctx, []broker.Query{h.query("q")})
	failsFor(t, err, broker.ReasonTimeout)
	if took := time.Since(began); took > waitLimit/3 {
		t.Errorf("the read took %s with a deadline of %s", took, deadline/4)
	}
	within(t, "closing", d.Close)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	within(t, "opening", func() {
		if d, err := h.Kind.Open(canceled, parse(t, h, s.Settings()), silent); err == nil {
			d.Close()
		}
	})
}

// within fails the test when something does not come to its end.
func within(t *testing.T, what string, do func()) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		do()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(waitLimit):
		t.Fatalf("%s has not ended after %s", what, waitLimit)
	}
}

func nobodyListens(t *testing.T, h Harness) {
	for name, c := range map[string]struct {
		host string
		port int32
		want broker.Reason
	}{
		"a port without a server":      {"127.0.0.1", 1, broker.ReasonConnectionRefused},
		"a host that does not resolve": {"no-such-host.invalid", h.Kind.Port, broker.ReasonHostNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readOnce(t, h, broker.Settings{Host: c.host, Port: c.port}, h.query("q"))
			failsFor(t, err, c.want)
		})
	}
}

func nothingLeft(t *testing.T, h Harness) {
	s := h.Start(t)
	h.declare(s, "q")
	before := goleak.IgnoreCurrent()
	for name, end := range map[string]func(broker.Driver){
		"idle":   func(d broker.Driver) { d.Close() },
		"in use": func(d broker.Driver) { depth(t, d, h.query("q")); d.Close() },
		"twice":  func(d broker.Driver) { d.Close(); d.Close() },
		"hanging": func(d broker.Driver) {
			s.Pause()
			defer s.Resume()
			ctx, cancel := context.WithTimeout(t.Context(), deadline/10)
			defer cancel()
			if _, err := d.Depths(ctx, []broker.Query{h.query("q")}); err == nil {
				t.Error("a server that hangs has answered")
			}
			d.Close()
		},
	} {
		d, err := dial(t, h, s.Settings())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		end(d)
		if _, err := d.Depths(t.Context(), []broker.Query{h.query("q")}); err == nil {
			t.Errorf("%s: a connection that is closed has answered", name)
		}
	}
	if _, err := dial(t, h, broker.Settings{Host: "127.0.0.1", Port: 1}); err == nil {
		t.Error("nobody listens there")
	}
	goleak.VerifyNone(t, before)
}
