package redis

import (
	"strings"
	"testing"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
)

// A password that ends in a newline is refused like any other wrong one. Whoever has it sees no difference, so the words
// say it.
func TestAPasswordThatEndsInANewline(t *testing.T) {
	server := redisservertest.Start(t, "--requirepass", "s3cret")
	cases := map[string]struct {
		password string
		hint     bool
	}{
		"a wrong one":                       {"another", false},
		"the right one, and a newline":      {"s3cret\n", true},
		"the right one, and one of Windows": {"s3cret\r\n", true},
		"a newline within":                  {"s3\ncret", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			driver, err := Open(t.Context(), Config{Address: server.Addr(), Password: broker.NewSecret(c.password)}, func(...string) {})
			if err == nil {
				driver.Close()
				t.Fatal("the server takes it")
			}
			if broker.ReasonOf(err) != broker.ReasonAuthenticationFailed {
				t.Errorf("the reason is %s, want AuthenticationFailed: %v", broker.ReasonOf(err), err)
			}
			if hint := strings.Contains(err.Error(), "ends in a newline"); hint != c.hint {
				t.Errorf("it tells of a newline: %t, want %t: %v", hint, c.hint, err)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("it has the password: %v", err)
			}
		})
	}
}
