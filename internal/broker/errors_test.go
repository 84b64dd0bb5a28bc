package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// slowly is an error of the network that may be a time-out.
type slowly bool

func (slowly) Error() string   { return "a failure of the network" }
func (s slowly) Timeout() bool { return bool(s) }
func (slowly) Temporary() bool { return false }

// Each failure by its class, and in the words that are shown for it, wherever it stands in a chain of errors.
func TestTheClassOfAFailure(t *testing.T) {
	const resolves, refused, late, closed = "the host name does not resolve", "the connection is refused; is the server running?",
		"no answer in time", "the server closed the connection; if it speaks TLS, set config.tls"
	cases := map[string]struct {
		err     error
		reason  Reason // by itself
		network Reason // on the way to a broker
		words   string
	}{
		"one that names its class":       {&Error{Reason: ReasonReadOnly, Message: "read-only", Err: io.EOF}, ReasonReadOnly, ReasonConnectionLost, closed},
		"one that names its class alone": {&Error{Reason: ReasonLoading, Message: "loading"}, ReasonLoading, ReasonLoading, "loading"},
		"a name that does not resolve":   {&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsTimeout: true}}, ReasonHostNotFound, ReasonHostNotFound, resolves},
		"refused":                        {&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, ReasonConnectionRefused, ReasonConnectionRefused, refused},
		"a deadline":                     {context.DeadlineExceeded, ReasonTimeout, ReasonTimeout, late},
		"a deadline of the network":      {os.ErrDeadlineExceeded, ReasonTimeout, ReasonTimeout, late},
		"a time-out of the network":      {slowly(true), ReasonTimeout, ReasonTimeout, late},
		"another failure of the network": {slowly(false), ReasonUnknown, ReasonUnknown, "a failure of the network"},
		"cancelled":                      {context.Canceled, ReasonUnknown, ReasonTimeout, late},
		"the end of the stream":          {io.EOF, ReasonUnknown, ReasonConnectionLost, closed},
		"the end within a reply":         {io.ErrUnexpectedEOF, ReasonUnknown, ReasonConnectionLost, closed},
		"closed here":                    {net.ErrClosed, ReasonUnknown, ReasonConnectionLost, closed},
		"reset":                          {syscall.ECONNRESET, ReasonUnknown, ReasonConnectionLost, closed},
		"a broken pipe":                  {syscall.EPIPE, ReasonUnknown, ReasonConnectionLost, closed},
		"a certificate of another":       {&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, ReasonUnknown, ReasonTLSFailed, "tls: failed to verify certificate: x509: certificate signed by unknown authority"},
		"no TLS at all":                  {tls.RecordHeaderError{Msg: "no TLS record"}, ReasonUnknown, ReasonTLSFailed, "tls: no TLS record"},
		"an alert":                       {&net.OpError{Op: "remote error", Err: tls.AlertError(42)}, ReasonUnknown, ReasonTLSFailed, "remote error: tls: bad certificate; if it wants a client certificate, set config.tls.clientCertSecret"},
		"any other":                      {errors.New("no luck with s3cret-text\nat all"), ReasonUnknown, ReasonUnknown, "no luck with ***"},
		"a password in it":               {fmt.Errorf("AUTH %s", password), ReasonUnknown, ReasonUnknown, "AUTH ***"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := ReasonOf(fmt.Errorf("reading, %w", c.err)); got != c.reason {
				t.Errorf("by itself it is %s, want %s", got, c.reason)
			}
			err := Unreachable("redis at host:1", c.err, nil, NewSecret(password))
			var failure *Error
			if !errors.As(err, &failure) {
				t.Fatalf("%T, want an Error", err)
			}
			want := Error{Reason: c.network, Message: "redis at host:1: " + c.words, Err: c.err}
			if diff := cmp.Diff(want, *failure, cmp.Comparer(func(a, b error) bool { return a == b })); diff != "" { //nolint:errorlint // the very same
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := ReasonOf(err); got != c.network || !errors.Is(err, c.err) || err.Error() != want.Message || strings.Contains(err.Error(), password) {
				t.Errorf("%s, %v", got, err)
			}
		})
	}
}

// What a server that closes an encrypted connection may want is a certificate, where it was given none. One that does not
// answer at all may not speak TLS.
func TestAnEncryptedConnectionThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		config *tls.Config
		err    error
		want   string
	}{
		"no answer":                        {&tls.Config{}, context.DeadlineExceeded, "at: no answer in time; if the server does not speak TLS, remove config.tls"},                                                                                                                                                                                                      //nolint:gosec // nothing is dialled
		"an answer in the clear":           {&tls.Config{}, tls.RecordHeaderError{Msg: "no handshake"}, "at: tls: no handshake; if the server does not speak TLS, remove config.tls"},                                                                                                                                                                                    //nolint:gosec // nothing is dialled
		"without a certificate":            {&tls.Config{}, io.EOF, "at: the server closed the connection; if it wants a client certificate, set config.tls.clientCertSecret"},                                                                                                                                                                                           //nolint:gosec // nothing is dialled
		"with one that the server refuses": {&tls.Config{Certificates: make([]tls.Certificate, 1)}, &net.OpError{Op: "remote error", Err: tls.AlertError(48)}, "at: remote error: tls: unknown certificate authority; the server refuses the certificate of config.tls.clientCertSecret: an authority that it trusts must have signed it, and it must not have expired"}, //nolint:gosec // nothing is dialled
		"with one":                         {&tls.Config{Certificates: make([]tls.Certificate, 1)}, io.EOF, "at: the server closed the connection"},                                                                                                                                                                                                                      //nolint:gosec // nothing is dialled
	} {
		if got := Unreachable("at", c.err, c.config, Secret{}).Error(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

type lasting bool

func (lasting) Error() string   { return "a failure" }
func (l lasting) Lasting() bool { return bool(l) }

func TestWhichFailuresLast(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"one that says so":     {fmt.Errorf("reading, %w", lasting(true)), true},
		"one that denies it":   {fmt.Errorf("reading, %w", lasting(false)), false},
		"one that says naught": {io.EOF, false},
		"none":                 {nil, false},
	} {
		if got := Lasting(c.err); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}

// What is no answer, and what is one, be it a refusal.
func TestWhatIsNoAnswer(t *testing.T) {
	reason := func(r Reason) error { return &Error{Reason: r} }
	cases := map[string]struct {
		err        error
		unanswered bool
	}{
		"none":                {nil, false},
		"a refusal":           {reason(ReasonPermissionDenied), false},
		"a read-only broker":  {reason(ReasonReadOnly), false},
		"an unknown error":    {errors.New("no"), false},
		"a time-out":          {context.DeadlineExceeded, true},
		"a broken connection": {reason(ReasonConnectionLost), true},
		"nobody listens":      {reason(ReasonConnectionRefused), true},
		"no such host":        {reason(ReasonHostNotFound), true},
	}
	for name, c := range cases {
		if got := IsUnanswered(c.err); got != c.unanswered {
			t.Errorf("%s: no answer %t, want %t", name, got, c.unanswered)
		}
	}
}
