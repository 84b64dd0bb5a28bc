package redis

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
)

// Who comes to a real server in the wrong way is told which field to change.
func TestTheWrongWayToAServerNamesTheField(t *testing.T) {
	plain := redisservertest.Start(t, "--requirepass", "pw")
	secure := redisservertest.StartSecure(t)
	encrypted := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: "localhost"}
	for name, c := range map[string]struct {
		config Config
		want   string
	}{
		"TLS to a plain port":             {Config{Address: plain.Addr(), TLS: encrypted}, "if the server does not speak TLS, remove config.tls"},
		"plainly to a port for TLS":       {Config{Address: secure.Address}, "if it speaks TLS, set config.tls"},
		"an empty password":               {Config{Address: plain.Addr(), Password: broker.NewSecret("")}, "see that it is set, and that its value is not empty"},
		"an empty password beside a user": {Config{Address: plain.Addr(), Username: "default"}, "password"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := Open(t.Context(), c.config, newBell().ring)
			if err == nil {
				_, err = d.Depths(t.Context(), []broker.Query{{Queue: "q"}})
				d.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, want %q in it", err, c.want)
			}
		})
	}
}
