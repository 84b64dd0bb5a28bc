package rabbitmqserver

import (
	"net"
	"strings"
	"testing"
	"time"
)

// A server answers, keeps what it knows through a kill, and leaves nothing when it is stopped.
func TestAServer(t *testing.T) {
	s, err := Start(t.Context(), Options{Dir: t.TempDir(), StatisticsInterval: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	t.Cleanup(func() {
		if !stopped {
			_ = s.Stop()
		}
	})
	if _, err := s.Control(t.Context(), "add_vhost", "orders"); err != nil {
		t.Fatal(err)
	}
	if out, err := s.Control(t.Context(), "environment"); err != nil || !strings.Contains(out, "{collect_statistics_interval,1000}") {
		t.Errorf("the interval of the statistics is another than was asked for: %v", err)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out, err := s.Control(t.Context(), "list_vhosts", "--quiet"); err != nil || !strings.Contains(out, "orders") {
		t.Errorf("after a restart the virtual hosts are %q, %v", out, err)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	stopped = true
	for _, port := range []int{s.Port(), s.ManagementPort(), s.distribution, s.mapper} {
		if l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}); err != nil {
			t.Errorf("port %d is still taken: %v", port, err)
		} else {
			_ = l.Close()
		}
	}
}
