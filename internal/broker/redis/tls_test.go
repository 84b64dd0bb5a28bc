package redis

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/local/redisserver/redisservertest"
)

func TestFailuresOfTLSAreNamed(t *testing.T) {
	stranger := httptest.NewUnstartedServer(http.NotFoundHandler())
	stranger.Config.ErrorLog = nil
	stranger.StartTLS()
	defer stranger.Close()
	plain := redisservertest.Start(t)

	cases := map[string]struct {
		address string
		want    []broker.Reason
	}{
		"a certificate of an unknown authority": {stranger.Listener.Addr().String(), []broker.Reason{broker.ReasonTLSFailed}},
		// Redis takes the handshake for a command; whether it closes or answers first is its own affair.
		"a server that speaks none": {plain.Addr(), []broker.Reason{broker.ReasonTLSFailed, broker.ReasonConnectionLost, broker.ReasonTimeout}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e := broker.Endpoint{Address: c.address, TLS: &tls.Config{MinVersion: tls.VersionTLS12, ServerName: "redis.example"}}
			_, err := Open(t.Context(), e, newBell().ring)
			got := broker.ReasonOf(err)
			for _, want := range c.want {
				if got == want {
					t.Log(err)
					return
				}
			}
			t.Errorf("%v is %s, want one of %v", err, got, c.want)
		})
	}
}
