package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheKindOfAType(t *testing.T) {
	kinds := Kinds{{Type: "one", Port: 1}, {Type: "two", Port: 2}}
	for kind, want := range map[string]struct {
		port  int32
		words string
	}{
		"one":   {port: 1},
		"two":   {port: 2},
		"three": {words: `this operator knows no broker of the type "three"; it knows ["one" "two"]`},
		"":      {words: `this operator knows no broker of the type ""; it knows ["one" "two"]`},
	} {
		got, err := kinds.Of(kind)
		words := ""
		if err != nil {
			words = err.Error()
		}
		if got.Port != want.port || words != want.words {
			t.Errorf("%q: %+v, %q, want %+v", kind, got, words, want)
		}
	}
}

// host and tube are configurations of two kinds.
type host string

func (h host) Equal(other Config) bool { return h == other }

type tube string

func (h tube) Equal(other Config) bool { return h == other }

type opened struct {
	Driver
	config host
	rings  int
}

// What opens one kind opens no other, and hands on all that it is given.
func TestOpener(t *testing.T) {
	failure := errors.New("closed")
	type key struct{}
	open := Opener(func(ctx context.Context, c host, ring Doorbell) (Driver, error) {
		ring("q")
		o := &opened{config: c}
		o.rings, _ = ctx.Value(key{}).(int)
		return o, failure
	})
	rung := 0
	driver, err := open(context.WithValue(t.Context(), key{}, 7), host("h"), func(...string) { rung++ })
	if diff := cmp.Diff(&opened{config: "h", rings: 7}, driver, cmp.AllowUnexported(opened{})); diff != "" || rung != 1 || !errors.Is(err, failure) {
		t.Errorf("rung %d times, %v (-want +got):\n%s", rung, err, diff)
	}
	const want = "a configuration of another kind of broker, broker.tube, cannot be opened as broker.host"
	if driver, err := open(t.Context(), tube("t"), nil); driver != nil || err == nil || err.Error() != want {
		t.Errorf("%v, %v; want %s", driver, err, want)
	}
}

func TestSameTLS(t *testing.T) {
	roots := func(names ...string) *x509.CertPool {
		pool := x509.NewCertPool()
		for _, name := range names {
			pool.AddCert(&x509.Certificate{Raw: []byte(name), RawSubject: []byte(name)})
		}
		return pool
	}
	base := func() *tls.Config { return &tls.Config{ServerName: "a", RootCAs: roots("x")} }
	shows := func(chain ...string) *tls.Config {
		c := base()
		c.Certificates = []tls.Certificate{{}}
		for _, der := range chain {
			c.Certificates[0].Certificate = append(c.Certificates[0].Certificate, []byte(der))
		}
		return c
	}
	for name, c := range map[string]struct {
		a, b *tls.Config
		want bool
	}{
		"plain":                  {nil, nil, true},
		"plain and TLS":          {nil, base(), false},
		"TLS and plain":          {base(), nil, false},
		"the same":               {base(), base(), true},
		"another name":           {base(), &tls.Config{ServerName: "b", RootCAs: roots("x")}, false},
		"one that is not looked": {base(), &tls.Config{ServerName: "a", RootCAs: roots("x"), InsecureSkipVerify: true}, false},
		"other authorities":      {base(), &tls.Config{ServerName: "a", RootCAs: roots("y")}, false},
		"an authority more":      {base(), &tls.Config{ServerName: "a", RootCAs: roots("x", "y")}, false},
		"those of the system":    {base(), &tls.Config{ServerName: "a"}, false},
		"the same certificate":   {shows("leaf", "middle"), shows("leaf", "middle"), true},
		"another certificate":    {shows("leaf", "middle"), shows("other", "middle"), false},
		"another chain":          {shows("leaf", "middle"), shows("leaf"), false},
		"none to show":           {shows("leaf"), base(), false},
	} {
		if got := SameTLS(c.a, c.b); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}
