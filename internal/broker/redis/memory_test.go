package redis

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/brokertest"
)

// mostOfMany is how much memory many hostile servers may have the operator take, garbage included: half of what the
// Deployment has.
const mostOfMany = 256 << 20

// Many servers that answer as much as they may, all at once, leave the operator well below its memory limit.
func TestManyHostileServers(t *testing.T) {
	if testing.Short() {
		t.Skip("it moves hundreds of megabytes")
	}
	var greeting, page strings.Builder
	greeting.WriteString("%255\r\n+proto\r\n:3\r\n")
	for i := range 254 {
		fmt.Fprintf(&greeting, "$20\r\n%020d\r\n$20\r\n%020d\r\n", i, i)
	}
	const keys = 8000
	fmt.Fprintf(&page, "*2\r\n$1\r\n7\r\n*%d\r\n", keys)
	for i := range keys {
		key := fmt.Sprintf("{q}:processing:worker-with-a-name-%08d", i)
		fmt.Fprintf(&page, "$%d\r\n%s\r\n", len(key), key)
	}
	hello, scan := strings.TrimSuffix(greeting.String(), "\r\n"), strings.TrimSuffix(page.String(), "\r\n")
	address := fakeServer(t, func(c []string) string {
		switch c[0] {
		case "HELLO":
			return hello
		case "SCAN":
			return scan
		case "LLEN", "ZCOUNT":
			return "-ERR " + strings.Repeat("x", longestLine-10)
		}
		return "+OK"
	})
	const servers = 100
	kind := Kind()
	took := brokertest.Peak(func() {
		var group sync.WaitGroup
		defer group.Wait()
		for range servers {
			group.Go(func() {
				d, err := kind.Open(t.Context(), Config{Address: address}, newBell().ring)
				if err != nil {
					t.Error(err)
					return
				}
				defer d.Close()
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				if _, err := d.Depths(ctx, []broker.Query{{Queue: "q"}}); err == nil {
					t.Error("an error is taken for a number")
				}
				if _, err := d.(broker.Reclaimer).Holders(ctx); err == nil {
					t.Error("a search without an end has ended")
				}
			})
		}
	})
	t.Logf("%d servers took %d MiB", servers, took>>20)
	if took > mostOfMany {
		t.Errorf("%d servers took %d MiB, want at most %d", servers, took>>20, mostOfMany>>20)
	}
}
