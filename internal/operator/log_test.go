package operator_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"github.com/quickube/qscaler/internal/logs"
	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/local/controlplane/controlplanetest"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
)

// page is a log that is read while it is written.
type page struct {
	mu  sync.Mutex
	log bytes.Buffer
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *page) lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Split(strings.TrimSuffix(p.log.String(), "\n"), "\n")
}

// The log begins with what runs. But for what is waited for, the other lines are about what was done for a user, whom they
// name once.
func TestTheLogIsAboutWhatHappens(t *testing.T) {
	namespace, c, log := controlplanetest.Namespace(t, shared), newClient(t), &page{}
	run(t, operator.Options{
		Namespaces: []string{namespace}, MetricsAddress: "0", ProbeAddress: "0", Log: logs.New(log, logs.Options{}),
	})
	create(t, c, namespace, redisservertest.Start(t), "fleet", 2)
	await(t, "a line of the fleet", func() string {
		for _, line := range log.lines() {
			if strings.Contains(line, "msg=Create") {
				return ""
			}
		}
		return strings.Join(log.lines(), "\n")
	})
	lines := log.lines()
	if first := lines[0]; !strings.Contains(first, `msg="QScaler starts" version=`) || !strings.Contains(first, "namespaces="+namespace) {
		t.Errorf("the first line is %s", first)
	}
	for _, line := range lines[1:] {
		if !strings.Contains(line, "="+namespace+"/") && !strings.Contains(line, "level=WARN msg=Waiting ") {
			t.Errorf("a line about nobody: %s", line)
		}
		if strings.Contains(line, "msg=Create") && strings.Count(line, namespace) != 1 {
			t.Errorf("the namespace is there %d times: %s", strings.Count(line, namespace), line)
		}
	}
}
